"""One look of a monitor: the checkpoint, that it continues the last one, every new entry."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from haulproof.log.monitor_state import Remembered
from haulproof.log.trust import Trust
from ledger.checkpoint import Checkpoint
from ledger.leaf import parse_entry
from ledger.tiles import TILE_WIDTH
from ledger.verified_tree import PublishedLog, VerifiedTree, tree_if_newer
from schemas.kinds import Kind

SAVE_EVERY_S = 5.0
OTHER = "other"
"""Entries that are no statement's: logs of other applications have no others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the log showed, and the entries that were read for the first time."""

    checkpoint: Checkpoint
    kinds: Counter[str]
    """How many of each kind of statement, by its name, or ``OTHER``."""
    older: bool
    """It was an older checkpoint than one seen before, of the same history."""

    @property
    def entries_read(self) -> int:
        """All of them."""
        return self.kinds.total()


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
    kinds = Counter[str]()
    if start < newest.head.size:
        kinds = _read(tree or VerifiedTree(log, newest), start, save, progress, clock)
    return Seen(seen, kinds, older)


def _read(
    tree: VerifiedTree,
    start: int,
    save: Callable[[Remembered], None],
    progress: Callable[[int, int], None],
    clock: Callable[[], float],
) -> Counter[str]:
    note, size, kinds = tree.checkpoint.note, tree.size, Counter[str]()
    save_at = clock() + SAVE_EVERY_S
    for n in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        new = tree.entries(n)[max(start - n * TILE_WIDTH, 0) :]
        kinds.update(_kind_of(entry) for entry in new)
        read = min((n + 1) * TILE_WIDTH, size)
        progress(read, size)
        if clock() >= save_at:
            save(Remembered(note, read))
            save_at = clock() + SAVE_EVERY_S
    save(Remembered(note, size))
    return kinds


def _kind_of(entry: bytes) -> str:
    try:
        return Kind(parse_entry(entry)[0]).name.lower().replace("_", "-")
    except ValueError:
        return OTHER
