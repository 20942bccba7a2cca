"""The feed: everything that a caller may read, in the order of the log."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.access.model import Form, Read
from exchange.access.readable import Readable
from exchange.orgs.model import Caller
from exchange.segments.readable import gaps_between, segments_between
from exchange.trips.readable import trips_between
from schemas.kinds import Kind

LEAVES_SCANNED_MAX = 5_000
"""Bounds the work of one request, whatever share of the log the caller may read."""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One committed record, thin: what it is, not what it says. Times in UTC ms."""

    index: int
    kind: Kind
    id: str
    digest: bytes
    carrier: str
    vehicle: str
    start_ms: int
    end_ms: int
    grant_index: int | None


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Rows by ascending index, and the leaf to go on with."""

    rows: list[FeedRow]
    next_index: int


def feed_page(
    conn: Connection[Any], caller: Caller, now_ms: int, first: int, size: int, limit: int
) -> FeedPage:
    """What the caller may read from leaf ``first`` on, in a tree of ``size`` leaves."""
    end = min(size, first + LEAVES_SCANNED_MAX)
    if first >= end:
        return FeedPage([], first)
    rows = _signed(conn, Readable(caller, Form.SEGMENTS, now_ms), first, end, limit)
    rows += _trips(conn, Readable(caller, Form.SHAPED, now_ms), first, end, limit)
    rows.sort(key=lambda row: row.index)
    del rows[limit:]
    return FeedPage(rows, rows[-1].index + 1 if len(rows) == limit else end)


def _signed(
    conn: Connection[Any], readable: Readable, first: int, end: int, limit: int
) -> list[FeedRow]:
    found = segments_between(conn, readable, first, end, limit)
    found += gaps_between(conn, readable, first, end, limit)
    return [
        FeedRow(
            index=row.index,
            kind=Kind(row.kind),
            id=row.digest.hex(),
            digest=row.digest,
            carrier=row.carrier,
            vehicle=row.vehicle,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            grant_index=row.grant_index,
        )
        for row in found
    ]


def _trips(
    conn: Connection[Any], readable: Readable, first: int, end: int, limit: int
) -> list[FeedRow]:
    return [
        FeedRow(
            index=row.index,
            kind=Kind.TRIP,
            id=row.trip_id.hex(),
            digest=row.digest,
            carrier=row.carrier,
            vehicle=row.vehicle,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            grant_index=row.grant_index,
        )
        for row in trips_between(conn, readable, first, end, limit)
    ]


def reads_of(caller: Caller, rows: list[FeedRow]) -> list[Read]:
    """Lines of the access log, one for each carrier; a poll that brings nothing leaves none."""
    return [
        _read(caller, carrier, [row for row in rows if row.carrier == carrier])
        for carrier in sorted({row.carrier for row in rows})
    ]


def _read(caller: Caller, carrier: str, rows: list[FeedRow]) -> Read:
    return Read(
        reader=caller,
        operation="feed",
        carrier=carrier,
        vehicles=tuple(sorted({row.vehicle for row in rows})),
        grants=tuple(sorted({row.grant_index for row in rows if row.grant_index is not None})),
        items=len(rows),
        first_index=rows[0].index,
        last_index=rows[-1].index,
    )
