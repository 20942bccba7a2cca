"""A log of a hundred million leaves in PostgreSQL, begun from its right edge alone."""

import os
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.transparency import repository as log
from ledger import tiles
from ledger.leaf import statement_leaf_hashes
from ledger.merkle import HASH_BYTES
from schemas.kinds import Kind

_SMALL = 100_000
_TALL = _SMALL + 6 * tiles.TILE_WIDTH**3
_BATCH = 1_000


@pytest.fixture
def conn(postgres: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres) as connection:
        yield connection


def _begin_at(conn: Connection[Any], size: int) -> dict[int, bytes]:
    places = tiles.partial_tiles(size)
    edge = {level: os.urandom(width * HASH_BYTES) for level, _, width in places}
    for level, n, _ in places:
        conn.execute(
            "INSERT INTO tile (level, n, hashes) VALUES (%s, %s, %s)", [level, n, edge[level]]
        )
    root = tiles.root_of_edge(edge)
    conn.execute("UPDATE tree_head SET size = %s, root = %s", [size, root])
    conn.commit()
    return edge


@pytest.mark.parametrize("size", [_SMALL, _TALL])
def test_a_batch_changes_the_tiles_that_it_fills_whatever_the_tree(
    conn: Connection[Any], size: int
) -> None:
    edge, rng = _begin_at(conn, size), random.Random(3)
    leaves = [(int(Kind.SEGMENT), rng.randbytes(32)) for _ in range(_BATCH)]

    assert log.append_leaves(conn, leaves) == size

    changed = conn.execute(
        "SELECT level, n FROM tile WHERE xmin = pg_current_xact_id()::xid ORDER BY level, n"
    ).fetchall()
    grown = tiles.append(size, edge, statement_leaf_hashes(leaves))
    # 96 leaves fill the tile that holds 160; four more begin, the last of them partial.
    assert changed == sorted(grown.changed)
    assert [level for level, _ in changed] == [0, 0, 0, 0, 0, 1]
    assert (log.head(conn).size, log.head(conn).root) == (size + _BATCH, grown.root)


def test_a_tall_log_goes_on_batch_after_batch(conn: Connection[Any]) -> None:
    edge, size, rng = _begin_at(conn, _TALL), _TALL, random.Random(4)
    for count in (1, 95, 1, 2_000, 33):
        leaves = [(int(Kind.SEGMENT), rng.randbytes(32)) for _ in range(count)]
        grown = tiles.append(size, edge, statement_leaf_hashes(leaves))

        assert log.append_leaves(conn, leaves) == size
        conn.commit()

        assert log.head(conn).root == grown.root
        size, edge = grown.size, grown.edge
