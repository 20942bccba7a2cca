"""All SQL by which callers read what devices signed, within ``access.readable``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.access.readable import Readable
from exchange.transparency.repository import statements_of
from schemas.cose.sign1 import parse
from schemas.kinds import Kind
from schemas.names import parse_issuer
from schemas.statements import gap


@dataclass(frozen=True, slots=True)
class SignedRow:
    """A segment or gap that the caller may read, without its bytes. Times in UTC ms."""

    index: int
    kind: int
    digest: bytes
    carrier: str
    device: str
    vehicle: str
    start_ms: int
    end_ms: int
    size_bytes: int
    grant_index: int | None


_ROW = sql.SQL(
    "index, kind, digest, carrier, device, vehicle, start_ms, end_ms, size_bytes, grant_index"
)

_SEGMENTS = sql.SQL(
    """
    SELECT l.index, l.kind::integer, s.digest, s.carrier, s.device, s.vehicle, s.t0 AS start_ms,
           s.t_end AS end_ms, length(s.raw) AS size_bytes, s.driver_class
    FROM segment s JOIN leaf l ON l.digest = s.digest AND l.segment_id = s.id
    WHERE l.index < %(size)s AND {}
    """
)

_IN_TIME = sql.SQL(
    "s.carrier = %(carrier)s AND s.vehicle = %(vehicle)s AND s.t0 < %(to_ms)s "
    "AND s.t_end >= %(from_ms)s"
)

_BY_LEAF = sql.SQL(
    """
    SELECT l.index, l.kind::integer, s.digest, s.carrier, s.device, s.vehicle, s.t0 AS start_ms,
           s.t_end AS end_ms, length(s.raw) AS size_bytes, s.driver_class
    FROM leaf l JOIN segment s ON s.id = l.segment_id
    WHERE {}
    """
)

_GAPS = sql.SQL(
    """
    SELECT *, false AS driver_class FROM unnest(
        %(indices)s::bigint[], %(kinds)s::integer[], %(digests)s::bytea[], %(carriers)s::text[],
        %(devices)s::text[], %(vehicles)s::text[], %(starts)s::bigint[], %(ends)s::bigint[],
        %(sizes)s::integer[]
    ) AS gap(index, kind, digest, carrier, device, vehicle, start_ms, end_ms, size_bytes)
    """
)


def segments_in(
    conn: Connection[Any],
    readable: Readable,
    carrier: str,
    vehicle: str,
    span_ms: tuple[int, int],
    size: int,
    limit: int,
) -> list[SignedRow]:
    """Readable segments that overlap [from, to) and that a tree of ``size`` leaves holds."""
    return _read(
        conn,
        readable,
        _SEGMENTS.format(_IN_TIME),
        {
            "carrier": carrier,
            "vehicle": vehicle,
            "from_ms": span_ms[0],
            "to_ms": span_ms[1],
            "size": size,
        },
        limit,
        order="start_ms",
    )


def segments_about(
    conn: Connection[Any],
    readable: Readable,
    carriers: Sequence[str],
    vehicle: str,
    first: int,
    size: int,
    limit: int,
) -> list[SignedRow]:
    """Readable segments of the vehicle among the leaves [first, size), by ascending index."""
    wanted = sql.SQL(
        "s.carrier = ANY(%(carriers)s::text[]) AND s.vehicle = %(vehicle)s AND l.index >= %(first)s"
    )
    params = {"carriers": list(carriers), "vehicle": vehicle, "first": first, "size": size}
    return _read(conn, readable, _SEGMENTS.format(wanted), params, limit)


def segments_at(
    conn: Connection[Any], readable: Readable, indices: Sequence[int]
) -> list[SignedRow]:
    """Readable segments among these leaves, by ascending index."""
    wanted = sql.SQL("l.index = ANY(%(indices)s::bigint[])")
    params = {"indices": list(indices)}
    return _read(conn, readable, _BY_LEAF.format(wanted), params, len(indices))


def segments_between(
    conn: Connection[Any], readable: Readable, first: int, end: int, limit: int
) -> list[SignedRow]:
    """Readable segments among the leaves [first, end), by ascending index."""
    wanted = sql.SQL("l.index >= %(first)s AND l.index < %(end)s AND l.segment_id IS NOT NULL")
    return _read(conn, readable, _BY_LEAF.format(wanted), {"first": first, "end": end}, limit)


def gaps_between(
    conn: Connection[Any], readable: Readable, first: int, end: int, limit: int
) -> list[SignedRow]:
    """Readable gaps among the leaves [first, end), by ascending index."""
    return _gaps(conn, readable, limit, kinds=[Kind.GAP], after=first - 1, below=end)


def gaps_about(
    conn: Connection[Any], readable: Readable, vehicle: str, first: int, size: int, limit: int
) -> list[SignedRow]:
    """Readable gaps of the vehicle among the leaves [first, size), by ascending index."""
    where = {"kinds": [Kind.GAP], "subject": vehicle, "after": first - 1, "below": size}
    return _gaps(conn, readable, limit, **where)


def gaps_at(conn: Connection[Any], readable: Readable, indices: Sequence[int]) -> list[SignedRow]:
    """Readable gaps among these leaves, by ascending index."""
    return _gaps(conn, readable, len(indices), kinds=[Kind.GAP], indices=indices)


def gaps_in(
    conn: Connection[Any],
    readable: Readable,
    carrier: str,
    vehicle: str,
    span_ms: tuple[int, int],
    size: int,
    limit: int,
) -> list[SignedRow]:
    """Readable gaps of the vehicle that overlap [from, to), in a tree of ``size`` leaves."""
    rows = _gaps(conn, readable, limit, kinds=[Kind.GAP], subject=vehicle, below=size)
    from_ms, to_ms = span_ms
    return [
        row
        for row in rows
        if row.carrier == carrier and row.start_ms < to_ms and row.end_ms >= from_ms
    ]


def raw_segments(conn: Connection[Any], indices: Sequence[int]) -> dict[int, bytes]:
    """The signed bytes of the segments at these leaves, which the caller was found to may read."""
    rows = conn.execute(
        """
        SELECT l.index, s.raw FROM leaf l JOIN segment s ON s.id = l.segment_id
        WHERE l.index = ANY(%s::bigint[])
        """,
        [list(indices)],
    )
    return {index: bytes(raw) for index, raw in rows}


def _read(
    conn: Connection[Any],
    readable: Readable,
    rows: sql.Composable,
    params: dict[str, Any],
    limit: int,
    order: str = "index",
) -> list[SignedRow]:
    query = sql.SQL("SELECT {row} FROM ({readable}) AS may ORDER BY {order} LIMIT %(limit)s")
    with conn.cursor(row_factory=class_row(SignedRow)) as cursor:
        cursor.execute(
            query.format(row=_ROW, readable=readable.of(rows), order=sql.Identifier(order)),
            {**readable.params, **params, "limit": limit},
        )
        return cursor.fetchall()


def _gaps(
    conn: Connection[Any], readable: Readable, limit: int, **conditions: Any
) -> list[SignedRow]:
    """Gaps keep their times in the signed bytes alone: decoded first, then held to the rules."""
    found = statements_of(conn, **conditions)
    issuers = [parse_issuer(one.issuer) for one in found]
    spans = [gap.decode(parse(one.raw).payload) for one in found]
    params: dict[str, Any] = {
        "indices": [one.index for one in found],
        "kinds": [one.kind for one in found],
        "digests": [one.digest for one in found],
        "carriers": [issuer.org for issuer in issuers],
        "devices": [issuer.device for issuer in issuers],
        "vehicles": [one.subject for one in found],
        "starts": [span.from_ms for span in spans],
        "ends": [span.to_ms for span in spans],
        "sizes": [len(one.raw) for one in found],
    }
    return _read(conn, readable, _GAPS, params, limit) if found else []
