"""One look of a monitor: the checkpoint, that it continues the last one, every new entry."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from haulproof.log.monitor_state import Remembered
from haulproof.log.trust import Trust
from ledger.checkpoint import Checkpoint
from ledger.tiles import TILE_WIDTH
from ledger.verified_tree import PublishedLog, VerifiedTree, tree_if_newer

SAVE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the log showed, and how many entries were read for the first time."""

    checkpoint: Checkpoint
    entries_read: int
    older: bool
    """It was an older checkpoint than one seen before, of the same history."""


def look(
    log: PublishedLog,
    trust: Trust,
    remembered: Remembered | None,
    save: Callable[[Remembered], None],
    progress: Callable[[int, int], None],
    clock: Callable[[], float] = time.monotonic,
) -> Seen:
    """Look once; ``save`` is called with what to remember, ``progress`` with entries done, total.

    Raises ``LogForked``, ``LogUnsound``, ``NotPublished``, ``CommandStopped``. What was remembered
    before then stays true.
    """
    known = None if remembered is None else trust.open(remembered.note)
    seen = trust.open(log.checkpoint(), None if known is None else known.head.origin)
    tree = tree_if_newer(log, known, seen)
    older = known is not None and seen.head.size < known.head.size
    newest = known if older and known is not None else seen
    start = 0 if remembered is None else remembered.read
    save(Remembered(newest.note, start))
    if start < newest.head.size:
        _read(tree or VerifiedTree(log, newest), start, save, progress, clock)
    return Seen(seen, newest.head.size - start, older)


def _read(
    tree: VerifiedTree,
    start: int,
    save: Callable[[Remembered], None],
    progress: Callable[[int, int], None],
    clock: Callable[[], float],
) -> None:
    note, size = tree.checkpoint.note, tree.size
    save_at = clock() + SAVE_EVERY_S
    for n in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        tree.entries(n)
        read = min((n + 1) * TILE_WIDTH, size)
        progress(read, size)
        if clock() >= save_at:
            save(Remembered(note, read))
            save_at = clock() + SAVE_EVERY_S
    save(Remembered(note, size))
