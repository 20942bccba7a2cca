"""A published log in full, against its checkpoint: every entry, every tile, and the root.

Reads what anyone can read, file by file in the layout of C2SP tlog-tiles, and holds no more of it
than one bundle and the right edge of the tree.
"""

from collections.abc import Callable

from ledger import tiles
from ledger.checkpoint import TreeHead
from ledger.merkle import HASH_BYTES, leaf_hash

BUNDLE_BYTES_MAX = tiles.TILE_WIDTH * (tiles.ENTRY_BYTES_MAX + 2)
"""No file of a log but its checkpoint is larger."""

ReadFile = Callable[[str], bytes | None]
"""``read(path)``: a file below the log's prefix, ``None`` when there is none."""

SawLeaves = Callable[[int, list[bytes]], None]
"""``saw(first, hashes)``: the leaf hashes of the next bundle, checked against their tile."""


class LogFileMissing(Exception):
    """A file that a log of this size has is not there."""


class LogFileWrong(Exception):
    """A file is not what the entries lead to, or the entries do not lead to the root."""


def recheck(read: ReadFile, head: TreeHead, saw: SawLeaves = lambda first, hashes: None) -> int:
    """Check all that a tree of this size is made of; how many files were read.

    ``head`` is believed: it comes from a checkpoint that was verified. Raises ``LogFileMissing``,
    ``LogFileWrong`` and whatever ``read`` raises.
    """
    size, edge, files = 0, dict[int, bytes](), 0
    while size < head.size:
        n = size // tiles.TILE_WIDTH
        hashes = [leaf_hash(entry) for entry in _entries(read, n, head.size)]
        grown = tiles.append(size, edge, hashes)
        complete = [place for place, tile in grown.changed.items() if len(tile) == tiles.TILE_BYTES]
        for level, number in complete:
            _compare(read, level, number, grown.changed[level, number])
        saw(size, hashes)
        files += 1 + len(complete)
        size, edge = grown.size, grown.edge
    for level, tile in edge.items():
        _compare(read, level, size >> tiles.TILE_HEIGHT * (level + 1), tile)
    if tiles.root_of_edge(edge) != head.root:
        raise LogFileWrong("the entries lead to another root than the checkpoint's")
    return files + len(edge)


def _entries(read: ReadFile, n: int, size: int) -> list[bytes]:
    width = tiles.width_of(0, n, size)
    path = tiles.entries_path(n, width)
    bundle = _read(read, path, tiles.entries_path(n))
    try:
        entries = tiles.decode_bundle(bundle)
    except ValueError as error:
        raise LogFileWrong(f"{path}: {error}") from None
    if len(entries) < width:
        raise LogFileWrong(f"{path} has {len(entries)} entries, not {width}")
    return entries[:width]


def _compare(read: ReadFile, level: int, n: int, tile: bytes) -> None:
    path = tiles.tile_path(level, n, len(tile) // HASH_BYTES)
    if _read(read, path, tiles.tile_path(level, n))[: len(tile)] != tile:
        raise LogFileWrong(f"{path} does not hold the hashes of its entries")


def _read(read: ReadFile, path: str, whole: str) -> bytes:
    """The file, or the whole one that has taken the place of a partial one since."""
    data = read(path)
    if data is None and whole != path:
        data = read(whole)
    if data is None:
        raise LogFileMissing(f"there is no {path}")
    return data
