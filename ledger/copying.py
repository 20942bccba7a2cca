"""How a verified copy of a log grows: tiles and entries first, the checkpoint over them last."""

from collections.abc import Callable, Iterator

from ledger.checkpoint import Checkpoint
from ledger.tile_directory import TileDirectoryWriter
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH
from ledger.verified_tree import (
    LogUnsound,
    NotPublished,
    PublishedLog,
    VerifiedTree,
    tree_if_newer,
)


class CopyDamaged(Exception):
    """A file of the copy is not what the signed checkpoint says."""


def bring_up_to(
    copy: TileDirectoryWriter,
    log: PublishedLog,
    seen: Checkpoint,
    known: Checkpoint | None,
    progress: Callable[[int], None],
) -> int:
    """Copy what ``seen`` covers and ``known``, the copy's own checkpoint, does not; leaves copied.

    Full tiles and bundles that a killed run has left are taken from the copy, and verified like
    all others. ``progress`` hears how many leaves are there. Raises ``LogForked``, ``LogUnsound``,
    ``NotPublished``, ``TileConflict``, ``CopyDamaged``, and what the log and the disk raise.
    """
    first = 0 if known is None else known.head.size
    try:
        tree = tree_if_newer(_PartlyThere(copy, log), known, seen)
        if tree is None:
            if known is not None and seen.head == known.head:
                copy.publish(seen)
            return 0
        _copy_places(copy, tree, first, progress)
    except LogUnsound as unsound:
        place = copy.root / unsound.path
        if not place.is_file() or unsound.path == "checkpoint":
            raise
        raise CopyDamaged(
            f"{place} is not what the log's checkpoint says: remove it and start again"
        ) from unsound
    copy.publish(seen)
    return tree.size - first


def _copy_places(
    copy: TileDirectoryWriter, tree: VerifiedTree, first: int, progress: Callable[[int], None]
) -> None:
    try:
        for level, n in _places(first, tree.size):
            if level == 0:
                copy.keep_entries(n, tree.entries(n))
                progress(min((n + 1) * TILE_WIDTH, tree.size))
            copy.keep_tile(level, n, tree.tile(level, n))
    finally:
        copy.flush()  # what was verified before a failure need not be read again


def _places(first: int, size: int) -> Iterator[tuple[int, int]]:
    """(level, n) of each tile that is new or longer at ``size`` than at ``first`` leaves."""
    level = 0
    while size >> (TILE_HEIGHT * level):
        start = first >> (TILE_HEIGHT * (level + 1))
        nodes = size >> (TILE_HEIGHT * level)
        yield from ((level, n) for n in range(start, -(-nodes // TILE_WIDTH)))
        level += 1


class _PartlyThere:
    """A log of which the copy has full tiles and bundles already."""

    def __init__(self, copy: TileDirectoryWriter, log: PublishedLog) -> None:
        self._copy = copy
        self._log = log

    def checkpoint(self) -> bytes:
        return self._log.checkpoint()

    def tile(self, level: int, n: int, width: int) -> bytes:
        if width == TILE_WIDTH:
            try:
                return self._copy.tile(level, n, width)
            except NotPublished:
                pass
        return self._log.tile(level, n, width)

    def entries(self, n: int, width: int) -> bytes:
        if width == TILE_WIDTH:
            try:
                return self._copy.entries(n, width)
            except NotPublished:
                pass
        return self._log.entries(n, width)
