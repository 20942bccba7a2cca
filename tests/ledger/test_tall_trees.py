"""A tree of a hundred million leaves costs an append what a small one does: counted, not timed.

Both trees here end in the same place of their tiles, so that the batch fills the same ones.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from ledger import merkle
from ledger.tiles import TILE_WIDTH, append, edge_tiles, partial_tiles
from tests.ledger.trees import leaves

_SMALL = 100_000
_TALL = _SMALL + 6 * TILE_WIDTH**3
_BATCHES = (1, 96, 97, 1_000, 70_000)
_LEAVES = leaves(max(_BATCHES))


class _Counted:
    """What an append read, hashed and changed."""

    def __init__(self) -> None:
        self.read = 0
        self.hashes = 0
        self.changed: list[tuple[int, int]] = []


@contextmanager
def _counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Counted]:
    counted = _Counted()

    def counting_sha256(data: bytes) -> "hashlib._Hash":
        counted.hashes += 1
        return hashlib.sha256(data)

    with monkeypatch.context() as patched:
        patched.setattr(merkle, "sha256", counting_sha256)
        yield counted


def _appended(size: int, batch: Sequence[bytes], monkeypatch: pytest.MonkeyPatch) -> _Counted:
    with _counting(monkeypatch) as counted:

        def get_tile(level: int, n: int) -> bytes:
            counted.read += 1
            return b"".join(_LEAVES[:TILE_WIDTH])

        grown = append(size, edge_tiles(get_tile, size), batch)
        counted.changed = list(grown.changed)
    return counted


def test_the_tall_tree_has_more_than_a_hundred_million_leaves() -> None:
    assert _TALL > 100_000_000
    widths = [[width for _, _, width in partial_tiles(size)] for size in (_SMALL, _TALL)]
    assert widths == [[160, 134, 1], [160, 134, 1, 6]]


@pytest.mark.parametrize("count", _BATCHES)
def test_a_tall_tree_reads_a_tile_more_and_changes_as_many(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, tall = (_appended(size, _LEAVES[:count], monkeypatch) for size in (_SMALL, _TALL))

    assert (small.read, tall.read) == (3, 4)
    assert [level for level, _ in small.changed] == [level for level, _ in tall.changed]
    # The root of the tall tree rests on one partial tile more, of seven hashes with what is below.
    assert tall.hashes - small.hashes == 6


@pytest.mark.parametrize("size", [_SMALL, _TALL])
@pytest.mark.parametrize("count", _BATCHES)
def test_an_append_costs_its_leaves_and_the_right_edge(
    size: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = _appended(size, _LEAVES[:count], monkeypatch)

    levels = len(partial_tiles(size))
    filled = -(-(size + count) // TILE_WIDTH) - size // TILE_WIDTH
    assert counted.read == levels
    assert len(counted.changed) <= filled + filled // TILE_WIDTH + levels
    # Every tile that fills is hashed once, and every partial one once for the root.
    assert counted.hashes <= count + (TILE_WIDTH - 1) * (levels + 2)
