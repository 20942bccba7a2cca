"""All SQL by which a leaf is found by its hash.

The table is filled from level-0 tiles by who asks, in steps: nobody pays for it while leaves are
appended, and a log that nobody asks this way has none.
"""

from typing import Any

from psycopg import Connection

from exchange.errors import ExchangeRefusal
from exchange.transparency.model import LeafRow
from ledger.leaf import statement_leaf_hash

LEAVES_PER_ASK = 200_000
"""Bounds what one request enters, to a few seconds (ADR 0136)."""

_PREFIX_BYTES = 8

_ENTER = """
    INSERT INTO leaf_lookup (prefix, index)
    SELECT ('x' || encode(substring(t.hashes FROM 32 * place + 1 FOR 8), 'hex'))::bit(64)::bigint,
           t.n * 256 + place
    FROM tile t CROSS JOIN LATERAL generate_series(0, length(t.hashes) / 32 - 1) AS place
    WHERE t.level = 0 AND t.n >= %(first)s / 256 AND t.n <= %(end)s / 256
      AND t.n * 256 + place >= %(first)s AND t.n * 256 + place < %(end)s
"""

_PROGRESS = "SELECT next_index FROM leaf_lookup_progress"


class LookupBehind(ExchangeRefusal):
    """Not every leaf can be found by its hash yet."""


def enter_leaves(conn: Connection[Any], size: int) -> None:
    """Enter the next leaves of a tree of ``size`` leaves, unless somebody else is about it."""
    row = conn.execute(f"{_PROGRESS} FOR UPDATE SKIP LOCKED").fetchone()
    if row is None or row[0] >= size:
        return
    end = min(size, row[0] + LEAVES_PER_ASK)
    conn.execute(_ENTER, {"first": row[0], "end": end})
    conn.execute("UPDATE leaf_lookup_progress SET next_index = %s", [end])


def leaf_with_hash(conn: Connection[Any], leaf_hash: bytes, size: int) -> LeafRow | None:
    """The first leaf of the tree with this hash (32 bytes); ``LookupBehind`` when not known yet."""
    row = conn.execute(_PROGRESS).fetchone()
    prefix = int.from_bytes(leaf_hash[:_PREFIX_BYTES], "big", signed=True)
    rows = conn.execute(
        """
        SELECT l.index, l.kind, l.digest FROM leaf_lookup p JOIN leaf l ON l.index = p.index
        WHERE p.prefix = %s AND p.index < %s ORDER BY p.index
        """,
        [prefix, size],
    )
    for index, kind, digest in rows:
        if statement_leaf_hash(kind, bytes(digest)) == leaf_hash:
            return LeafRow(index, kind, bytes(digest))
    entered = 0 if row is None else int(row[0])
    if entered < size:
        raise LookupBehind(
            f"The first {entered} of {size} leaves can be found by their hash so far, and this is "
            "none of them: ask again."
        )
    return None
