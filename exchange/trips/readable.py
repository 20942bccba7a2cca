"""All SQL by which callers read trips, within ``access.readable``."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.access.readable import Readable


@dataclass(frozen=True, slots=True)
class TripRow:
    """A trip's newest revision that the caller may read, as signed. Times in UTC ms."""

    index: int
    carrier: str
    vehicle: str
    digest: bytes
    raw: bytes
    grant_index: int | None
    open_precision: int
    open_fields: list[str] | None


@dataclass(frozen=True, slots=True)
class TripRevision:
    """Any revision of a trip that the caller may read, without its bytes. Times in UTC ms."""

    index: int
    trip_id: bytes
    digest: bytes
    carrier: str
    vehicle: str
    start_ms: int
    end_ms: int
    grant_index: int | None


@dataclass(frozen=True, slots=True)
class TripPlace:
    """Where a trip belongs, for the words of a refusal."""

    carrier: str
    vehicle: str
    start_ms: int
    end_ms: int


_NEWEST = sql.SQL(
    """
    SELECT t.index, t.carrier, t.vehicle, t.start_ms, t.end_ms, false AS driver_class FROM trip t
    WHERE t.index < %(size)s
      AND (t.superseded_index IS NULL OR t.superseded_index >= %(size)s) AND {}
    """
)

_WITH_STATEMENT = sql.SQL(
    """
    SELECT may.index, may.carrier, may.vehicle, s.digest, s.raw, may.grant_index,
           may.open_precision, may.open_fields
    FROM ({readable}) AS may JOIN statement s ON s.index = may.index
    ORDER BY may.index LIMIT %(limit)s
    """
)

_BETWEEN = sql.SQL(
    """
    SELECT t.index, t.trip_id, t.carrier, t.vehicle, t.start_ms, t.end_ms FROM trip t
    WHERE t.index >= %(first)s AND t.index < %(end)s
      AND (%(vehicle)s::text IS NULL OR t.vehicle = %(vehicle)s)
    """
)

_REVISIONS = sql.SQL(
    """
    SELECT may.index, may.trip_id, s.digest, may.carrier, may.vehicle, may.start_ms, may.end_ms,
           may.grant_index
    FROM ({readable}) AS may JOIN statement s ON s.index = may.index
    ORDER BY may.index LIMIT %(limit)s
    """
)

_LISTED = sql.SQL(
    """
    t.index >= %(from_index)s
    AND (%(vehicle)s::text IS NULL OR t.vehicle = %(vehicle)s)
    AND (%(carrier)s::text IS NULL OR t.carrier = %(carrier)s)
    AND (%(from_ms)s::bigint IS NULL OR t.end_ms >= %(from_ms)s)
    AND (%(to_ms)s::bigint IS NULL OR t.start_ms < %(to_ms)s)
    """
)


@dataclass(frozen=True, slots=True)
class TripFilter:
    """Which trips are listed: of a vehicle, a carrier, overlapping [from, to)."""

    vehicle: str | None = None
    carrier: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def trips(
    conn: Connection[Any],
    readable: Readable,
    wanted: TripFilter,
    size: int,
    from_index: int,
    limit: int,
) -> list[TripRow]:
    """Readable trips that a tree of ``size`` leaves holds, by ascending index."""
    params = {
        "from_index": from_index,
        "vehicle": wanted.vehicle,
        "carrier": wanted.carrier,
        "from_ms": wanted.from_ms,
        "to_ms": wanted.to_ms,
    }
    return _read(conn, readable, _LISTED, params, size, limit)


def trip(conn: Connection[Any], readable: Readable, trip_id: bytes, size: int) -> TripRow | None:
    """The newest revision of a trip, when the caller may read it."""
    wanted = sql.SQL("t.trip_id = %(trip_id)s")
    rows = _read(conn, readable, wanted, {"trip_id": trip_id}, size, 1)
    return rows[0] if rows else None


def place_of(conn: Connection[Any], trip_id: bytes, size: int) -> TripPlace | None:
    """Where the trip belongs, whoever asks: to find the words of a refusal, never to answer."""
    wanted = sql.SQL("t.trip_id = %(trip_id)s")
    query = sql.SQL("SELECT carrier, vehicle, start_ms, end_ms FROM ({}) AS found")
    with conn.cursor(row_factory=class_row(TripPlace)) as cursor:
        cursor.execute(query.format(_NEWEST.format(wanted)), {"trip_id": trip_id, "size": size})
        return cursor.fetchone()


def trips_between(
    conn: Connection[Any],
    readable: Readable,
    first: int,
    end: int,
    limit: int,
    vehicle: str | None = None,
) -> list[TripRevision]:
    """Readable revisions, of one vehicle or all, among the leaves [first, end), by index."""
    params = {"first": first, "end": end, "limit": limit, "vehicle": vehicle}
    with conn.cursor(row_factory=class_row(TripRevision)) as cursor:
        cursor.execute(
            _REVISIONS.format(readable=readable.of(_BETWEEN)), {**readable.params, **params}
        )
        return cursor.fetchall()


def _read(
    conn: Connection[Any],
    readable: Readable,
    condition: sql.Composable,
    params: dict[str, Any],
    size: int,
    limit: int,
) -> list[TripRow]:
    rows = readable.of(_NEWEST.format(condition))
    with conn.cursor(row_factory=class_row(TripRow)) as cursor:
        cursor.execute(
            _WITH_STATEMENT.format(readable=rows),
            {**readable.params, **params, "size": size, "limit": limit},
        )
        return cursor.fetchall()
