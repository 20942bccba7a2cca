"""Checks that read the whole store: what has to hold after every batch, crash and restart."""

from typing import Any

from psycopg import Connection

from ledger.leaf import statement_leaf_hashes
from ledger.merkle import root_from_leaf_hashes


def check_store(conn: Connection[Any]) -> int:
    """Every record has its leaf, every leaf its record, the head is their root; the tree's size."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return _check(conn)


def _check(conn: Connection[Any]) -> int:
    leaves = conn.execute("SELECT index, kind, digest, segment_id FROM leaf ORDER BY index")
    rows = leaves.fetchall()
    head = conn.execute("SELECT size, root FROM tree_head").fetchone()
    assert head is not None
    assert [row[0] for row in rows] == list(range(head[0]))
    hashes = statement_leaf_hashes((kind, bytes(digest)) for _, kind, digest, _ in rows)
    assert bytes(head[1]) == root_from_leaf_hashes(hashes)
    segments = dict(conn.execute("SELECT id, digest FROM segment").fetchall())
    assert segments == {row[3]: row[2] for row in rows if row[3] is not None}
    gaps = conn.execute("SELECT digest FROM statement WHERE kind = 2").fetchall()
    named = conn.execute("SELECT digest FROM segment_key").fetchall()
    assert sorted(named) == sorted([*gaps, *((digest,) for digest in segments.values())])
    return int(head[0])


def committed_digests(conn: Connection[Any]) -> list[bytes]:
    """Digests of what devices signed, in the order of the log."""
    rows = conn.execute("SELECT digest FROM leaf WHERE kind IN (1, 2) ORDER BY index")
    return [bytes(row[0]) for row in rows]
