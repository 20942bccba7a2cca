"""From rows that a caller may read to the statements as they were signed."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from exchange.segments.readable import SignedRow, raw_segments
from exchange.transparency.repository import statements_of
from ledger.evidence.file import CommittedStatement
from schemas.kinds import Kind


def signed_bytes(conn: Connection[Any], rows: Sequence[SignedRow]) -> list[CommittedStatement]:
    """The rows' statements, in the rows' order."""
    gaps = [row.index for row in rows if row.kind == Kind.GAP]
    raw = raw_segments(conn, [row.index for row in rows if row.kind == Kind.SEGMENT])
    if gaps:
        raw |= {one.index: one.raw for one in statements_of(conn, indices=gaps)}
    return [CommittedStatement(row.index, row.kind, raw[row.index]) for row in rows]
