"""Tiles of C2SP tlog-tiles: 256 hashes of one tree level in a row, and how a batch changes them.

Tile ``n`` of tile level ``l`` holds the nodes of tree level ``8 * l`` with indices ``256 * n`` up
to ``256 * n + 255``, as concatenated 32-byte hashes; the last one of a level may be partial. An
entry bundle holds the entries of a level-0 tile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ledger.merkle import EMPTY_ROOT, HASH_BYTES, fold, fold_level

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
TILE_LEVEL_MAX = 63
ENTRY_BYTES_MAX = 65_535

GetTile = Callable[[int, int], bytes]
"""``get_tile(level, n)``: the hashes of a tile, at least as many as the tree size in hand needs."""


class TilePathRefused(ValueError):
    """A path that names no tile and no entry bundle."""


@dataclass(frozen=True, slots=True)
class NewTiles:
    """What appending a batch of leaves makes of a tree."""

    size: int
    root: bytes
    changed: dict[tuple[int, int], bytes]
    """Every new or longer tile by (level, n); its older bytes are a prefix of these."""
    edge: dict[int, bytes]
    """The partial tile of each level that has one: input of the next ``append``."""


def append(size: int, edge: Mapping[int, bytes], leaf_hashes: Sequence[bytes]) -> NewTiles:
    """Append leaf hashes to the tree of ``size`` leaves whose partial tiles are ``edge``.

    ``ValueError`` when the partial tiles are not those of that size.
    """
    _check_edge(size, edge)
    new_size = size + len(leaf_hashes)
    changed: dict[tuple[int, int], bytes] = {}
    new_edge = dict(edge)
    new, level = b"".join(leaf_hashes), 0
    if len(new) != len(leaf_hashes) * HASH_BYTES:
        raise ValueError("a leaf hash is not 32 bytes")
    while new:
        row = new_edge.pop(level, b"") + new
        n = size >> (TILE_HEIGHT * (level + 1))
        roots = []
        for start in range(0, len(row), TILE_BYTES):
            tile = row[start : start + TILE_BYTES]
            changed[level, n] = tile
            n += 1
            if len(tile) == TILE_BYTES:
                roots.append(fold(tile))
            else:
                new_edge[level] = tile
        new, level = b"".join(roots), level + 1
    return NewTiles(new_size, root_of_edge(new_edge), changed, new_edge)


def root_of_edge(edge: Mapping[int, bytes]) -> bytes:
    """Root of a tree from its partial tiles alone: a complete tile is a hash in one of them."""
    below = b""
    for level in range(max(edge, default=-1) + 1):
        row = edge.get(level, b"") + below
        below = fold(row) if row else b""
    return below or EMPTY_ROOT


def edge_tiles(get_tile: GetTile, size: int) -> dict[int, bytes]:
    """The partial tiles of a tree of ``size`` leaves, read from stored tiles."""
    edge = {}
    for level, n, width in partial_tiles(size):
        edge[level] = get_tile(level, n)[: width * HASH_BYTES]
    _check_edge(size, edge)
    return edge


def partial_tiles(size: int) -> list[tuple[int, int, int]]:
    """(level, n, width) of the partial tiles of a tree of ``size`` leaves."""
    partial = []
    level, nodes = 0, size
    while nodes:
        if nodes % TILE_WIDTH:
            partial.append((level, nodes // TILE_WIDTH, nodes % TILE_WIDTH))
        level, nodes = level + 1, nodes // TILE_WIDTH
    return partial


def width_of(level: int, n: int, size: int) -> int:
    """Hashes in tile (level, n) of a tree of ``size`` leaves, 0 to 256; 0: there is none."""
    nodes = size >> (TILE_HEIGHT * level)
    return min(max(nodes - n * TILE_WIDTH, 0), TILE_WIDTH)


class TileReader:
    """Complete tree nodes out of tiles: a ``get_node`` for ``merkle`` and ``multiproof``.

    Keeps every tile that it fetched and the rows computed inside it: make one per batch of proofs.
    """

    def __init__(self, get_tile: GetTile) -> None:
        self._get_tile = get_tile
        self._rows: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Hash of the complete node ``index`` of tree level ``level``."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        n, position = divmod(index, TILE_WIDTH >> height)
        rows = self._rows.get((tile_level, n))
        if rows is None:
            rows = self._rows[tile_level, n] = [self._get_tile(tile_level, n)]
        while len(rows) <= height:
            whole_pairs = len(rows[-1]) & ~(2 * HASH_BYTES - 1)
            rows.append(fold_level(rows[-1][:whole_pairs]))
        start = position * HASH_BYTES
        node = rows[height][start : start + HASH_BYTES]
        if len(node) != HASH_BYTES:
            raise ValueError(
                f"tile {tile_level}/{n} is too short for node {index} of level {level}"
            )
        return node


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """Path of a tile below the log's prefix, for example ``tile/0/x001/x234/067.p/112``."""
    if not 0 <= level <= TILE_LEVEL_MAX:
        raise ValueError("a tile's level is 0 to 63")
    return f"tile/{level}/{_number(n)}{_partial(width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """Path of an entry bundle below the log's prefix."""
    return f"tile/entries/{_number(n)}{_partial(width)}"


def parse_tile_path(path: str) -> tuple[int | None, int, int]:
    """(level, or ``None`` for entries; n; width) of a path; ``TilePathRefused`` for any other."""
    try:
        _, kind, *groups = path.split("/")
        level = None if kind == "entries" else int(kind)
        width = TILE_WIDTH
        if groups[-2:-1] and groups[-2].endswith(".p"):
            width = int(groups.pop())
            groups[-1] = groups[-1].removesuffix(".p")
        n = int("".join(group.removeprefix("x") for group in groups))
        again = entries_path(n, width) if level is None else tile_path(level, n, width)
    except ValueError:
        raise TilePathRefused("not the path of a tile") from None
    if again != path:
        raise TilePathRefused("not the one path of a tile")
    return level, n, width


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry behind its 2-byte length, big-endian. ``ValueError`` past 65,535 bytes."""
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise ValueError("an entry is longer than 65,535 bytes")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """Entries of a bundle; ``ValueError`` when it ends within one."""
    entries = []
    position = 0
    while position < len(bundle):
        start = position + 2
        position = start + int.from_bytes(bundle[position:start], "big")
        if start > len(bundle) or position > len(bundle):
            raise ValueError("the bundle ends within an entry")
        entries.append(bundle[start:position])
    return entries


def _check_edge(size: int, edge: Mapping[int, bytes]) -> None:
    widths = {level: width * HASH_BYTES for level, _, width in partial_tiles(size)}
    if widths != {level: len(tile) for level, tile in edge.items() if tile}:
        raise ValueError("these are not the partial tiles of a tree of this size")


def _number(n: int) -> str:
    if n < 0:
        raise ValueError("tiles are counted from 0")
    digits = str(n)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError("a tile has 1 to 256 hashes")
    return "" if width == TILE_WIDTH else f".p/{width}"
