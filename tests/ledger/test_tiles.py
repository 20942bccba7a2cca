"""Tiles, held against a published log of sizes 0 to 15 and against whole trees."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import open_checkpoint
from ledger.merkle import EMPTY_ROOT, leaf_hash, root_from_leaf_hashes
from ledger.note import VKey
from ledger.tiles import (
    TilePathRefused,
    TileReader,
    append,
    decode_bundle,
    edge_tiles,
    encode_bundle,
    entries_path,
    parse_tile_path,
    partial_tiles,
    root_of_edge,
    tile_path,
    width_of,
)
from tests.ledger.trees import VECTORS, Tree, leaves

_LOG = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
_LOG_KEY = VKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
_LEAVES = leaves(70_000)


def _bundle(size: int) -> Path:
    return _LOG / entries_path(0, size)


@pytest.mark.parametrize("size", range(16))
def test_published_log_has_our_root_and_our_tiles(size: int) -> None:
    head = open_checkpoint((_LOG / f"checkpoint.{size}").read_bytes(), _LOG_KEY).head
    entries = decode_bundle(_bundle(size).read_bytes()) if size else []

    made = append(0, {}, [leaf_hash(entry) for entry in entries])

    assert (size, made.root) == (head.size, head.root)
    if size:
        assert encode_bundle(entries) == _bundle(size).read_bytes()
        assert (_LOG / tile_path(0, 0, size)).read_bytes() == made.changed[0, 0]


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000])
def test_root_of_one_batch_is_the_root_of_the_tree(size: int) -> None:
    assert root_from_leaf_hashes(_LEAVES[:size]) == append(0, {}, _LEAVES[:size]).root


@given(st.lists(st.integers(0, 900), max_size=8))
def test_batches_of_any_cut_end_in_the_same_tiles(batches: list[int]) -> None:
    size, root = 0, EMPTY_ROOT
    edge: dict[int, bytes] = {}
    tiles: dict[tuple[int, int], bytes] = {}
    for count in batches:
        made = append(size, edge, _LEAVES[size : size + count])
        for place, tile in made.changed.items():
            assert tile.startswith(tiles.get(place, b""))
        tiles |= made.changed
        size, edge, root = made.size, made.edge, made.root

    whole = append(0, {}, _LEAVES[:size])
    assert whole.changed == tiles
    assert whole.edge == edge
    assert whole.root == root == root_of_edge(edge)


def test_every_complete_node_is_read_from_tiles() -> None:
    size = 66_000
    tree, tiles = Tree(_LEAVES[:size]), append(0, {}, _LEAVES[:size]).changed
    get_node = TileReader(lambda level, n: tiles[level, n])

    for level in range(17):
        for index in {0, 1, (size >> level) // 2, (size >> level) - 1}:
            if (index + 1) << level <= size:
                assert tree.get_node(level, index) == get_node(level, index)


def test_a_node_beyond_the_tile_is_not_made_up() -> None:
    tiles = append(0, {}, _LEAVES[:3]).changed
    get_node = TileReader(lambda level, n: tiles[level, n])

    with pytest.raises(ValueError, match="too short"):
        get_node(1, 1)
    with pytest.raises(ValueError, match="too short"):
        get_node(0, 3)


def test_each_tile_is_fetched_once() -> None:
    tiles = append(0, {}, _LEAVES[:1_000]).changed
    fetched = []

    def get_tile(level: int, n: int) -> bytes:
        fetched.append((level, n))
        return tiles[level, n]

    get_node = TileReader(get_tile)
    for index in range(1_000):
        get_node(0, index)
    assert fetched == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_partial_tiles_are_those_of_the_specification() -> None:
    assert partial_tiles(256) == [(1, 0, 1)]
    assert partial_tiles(70_000) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert partial_tiles(0) == []


def test_width_of_a_tile_follows_the_size() -> None:
    assert [width_of(0, n, 70_000) for n in (272, 273, 274)] == [256, 112, 0]
    assert [width_of(1, n, 70_000) for n in (0, 1)] == [256, 17]


def test_edge_is_read_back_from_longer_tiles() -> None:
    tiles = append(0, {}, _LEAVES[:600]).changed
    edge = edge_tiles(lambda level, n: tiles[level, n], 520)

    assert append(0, {}, _LEAVES[:520]).edge == edge


def test_an_edge_of_another_size_is_refused() -> None:
    edge = append(0, {}, _LEAVES[:5]).edge

    for size, tiles in ((6, edge), (5, {}), (5, {**edge, 1: bytes(32)})):
        with pytest.raises(ValueError, match="partial tiles"):
            append(size, tiles, _LEAVES[:1])


@pytest.mark.parametrize(
    ("path", "level", "n", "width"),
    [
        ("tile/0/x001/x234/067", 0, 1_234_067, 256),
        ("tile/0/273.p/112", 0, 273, 112),
        ("tile/63/000.p/1", 63, 0, 1),
        ("tile/entries/x001/000.p/255", None, 1_000, 255),
    ],
)
def test_path_and_tile_name_each_other(path: str, level: int | None, n: int, width: int) -> None:
    assert (level, n, width) == parse_tile_path(path)
    assert path == (entries_path(n, width) if level is None else tile_path(level, n, width))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/1",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/+01",
        "tile/entries/001.p/1/2",
        "other/0/001",
        "tile/0/٠٠١",
    ],
)
def test_other_paths_name_no_tile(path: str) -> None:
    with pytest.raises(TilePathRefused):
        parse_tile_path(path)


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x01", b"\x00\x02a"])
def test_a_bundle_that_ends_within_an_entry_is_refused(bundle: bytes) -> None:
    with pytest.raises(ValueError, match="ends within"):
        decode_bundle(bundle)


def test_an_entry_past_the_limit_has_no_bundle() -> None:
    with pytest.raises(ValueError, match="longer"):
        encode_bundle([bytes(65_536)])
