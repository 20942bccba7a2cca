"""All SQL by which trips are kept: what is new, what they rest on, what they replace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.trips.model import Change, KnownTrip, Pending, Vehicle
from schemas.kinds import Kind

_DERIVE_LOCK = 0x6861756C_74726970
"""Key of the advisory lock that lets one process derive at a time."""

_LONGEST_SEGMENT_MS = 172_800_000
"""Two days: how far behind its first sample a segment's last one is looked for."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A committed segment, as derivation reads it. Times in UTC ms."""

    index: int
    digest: bytes
    device: str
    t0: int
    t_end: int
    flags: int
    driver_class: bool
    raw: bytes


def try_derive_lock(conn: Connection[Any]) -> bool:
    """Take the lock for the life of the connection; False when another process has it."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [_DERIVE_LOCK]).fetchone()
    return row is not None and bool(row[0])


def notice(conn: Connection[Any], leaves_max: int, earliest_ms: int) -> bool:
    """Note the vehicles of the next leaves as pending; whether there were any. The caller commits.

    A segment makes its vehicle pending from its first sample on, a binding from its start on;
    what lies before ``earliest_ms`` is in no trip.
    """
    conn.execute("SELECT next_index FROM trip_progress FOR UPDATE")
    row = conn.execute(
        """
        UPDATE trip_progress p SET next_index = least(p.next_index + %s, h.size)
        FROM tree_head h, (SELECT next_index FROM trip_progress) old
        WHERE h.size > p.next_index
        RETURNING old.next_index, p.next_index
        """,
        [leaves_max],
    ).fetchone()
    if row is None:
        return False
    conn.execute(
        """
        INSERT INTO trip_pending (carrier, vehicle, from_ms, first_index)
        SELECT carrier, vehicle, greatest(min(from_ms), %(earliest)s), min(index) FROM (
            SELECT s.carrier, s.vehicle, s.t0 AS from_ms, l.index
            FROM leaf l JOIN segment s ON s.id = l.segment_id
            WHERE l.index >= %(begin)s AND l.index < %(end)s AND NOT s.driver_class
              AND s.t_end >= %(earliest)s
            UNION ALL
            SELECT b.carrier, b.vehicle, b.from_ms, b.index FROM binding b
            WHERE b.index >= %(begin)s AND b.index < %(end)s
        ) AS news
        GROUP BY carrier, vehicle
        ON CONFLICT (carrier, vehicle) DO UPDATE
        SET from_ms = least(trip_pending.from_ms, excluded.from_ms)
        """,
        {"begin": row[0], "end": row[1], "earliest": earliest_ms},
    )
    return True


def pending(conn: Connection[Any]) -> list[Pending]:
    """The vehicles to derive, those that wait longest first."""
    rows = conn.execute("SELECT carrier, vehicle, from_ms FROM trip_pending ORDER BY first_index")
    return [Pending(Vehicle(carrier, vehicle), from_ms) for carrier, vehicle, from_ms in rows]


def settle_pending(conn: Connection[Any], vehicle: Vehicle, done_ms: int | None) -> None:
    """The vehicle's data is derived up to ``done_ms``; None: all of it."""
    names = [vehicle.carrier, vehicle.pseudonym]
    if done_ms is None:
        conn.execute("DELETE FROM trip_pending WHERE carrier = %s AND vehicle = %s", names)
    else:
        conn.execute(
            "UPDATE trip_pending SET from_ms = %s WHERE carrier = %s AND vehicle = %s",
            [done_ms + 1, *names],
        )


def resume_from(conn: Connection[Any], pending: Pending) -> int:
    """The moment up to which all is settled whatever the new data says; -1: nothing is.

    What was settled by later samples is forgotten.
    """
    names = [pending.vehicle.carrier, pending.vehicle.pseudonym]
    conn.execute(
        "DELETE FROM trip_settled WHERE carrier = %s AND vehicle = %s AND judged_ms >= %s",
        [*names, pending.from_ms],
    )
    row = conn.execute(
        "SELECT max(settled_ms) FROM trip_settled WHERE carrier = %s AND vehicle = %s", names
    ).fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


def save_settled(conn: Connection[Any], vehicle: Vehicle, settled_ms: int, judged_ms: int) -> None:
    """Remember from where the vehicle's derivation can go on."""
    conn.execute(
        """
        INSERT INTO trip_settled (carrier, vehicle, settled_ms, judged_ms)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (carrier, vehicle, settled_ms)
        DO UPDATE SET judged_ms = greatest(trip_settled.judged_ms, excluded.judged_ms)
        """,
        [vehicle.carrier, vehicle.pseudonym, settled_ms, judged_ms],
    )


def segments_since(
    conn: Connection[Any], vehicle: Vehicle, after_ms: int, limit: int
) -> list[SegmentRow]:
    """The vehicle's segments that reach beyond ``after_ms``, by their first samples."""
    with conn.cursor(row_factory=class_row(SegmentRow)) as cursor:
        cursor.execute(
            """
            SELECT l.index, s.digest, s.device, s.t0, s.t_end, s.flags, s.driver_class, s.raw
            FROM segment s JOIN leaf l ON l.digest = s.digest AND l.segment_id = s.id
            WHERE s.carrier = %s AND s.vehicle = %s AND s.t0 > %s AND s.t_end > %s
            ORDER BY s.t0, l.index LIMIT %s
            """,
            [
                vehicle.carrier,
                vehicle.pseudonym,
                after_ms - _LONGEST_SEGMENT_MS,
                after_ms,
                limit,
            ],
        )
        return cursor.fetchall()


def known_trips(conn: Connection[Any], vehicle: Vehicle, after_ms: int) -> list[KnownTrip]:
    """The vehicle's trips that stand and end later, by start."""
    with conn.cursor(row_factory=class_row(KnownTrip)) as cursor:
        cursor.execute(
            """
            SELECT index, trip_id, revision, start_ms, end_ms, content_digest FROM trip
            WHERE carrier = %s AND vehicle = %s AND end_ms > %s AND superseded_index IS NULL
            ORDER BY start_ms, index
            """,
            [vehicle.carrier, vehicle.pseudonym, after_ms],
        )
        return cursor.fetchall()


def revisions(conn: Connection[Any], trip_ids: Sequence[bytes]) -> dict[bytes, int]:
    """The highest revision ever committed of each id; ids that are new are absent."""
    rows = conn.execute(
        "SELECT trip_id, max(revision) FROM trip WHERE trip_id = ANY(%s) GROUP BY trip_id",
        [list(trip_ids)],
    )
    return {bytes(trip_id): revision for trip_id, revision in rows}


def insert_trip(conn: Connection[Any], index: int, change: Change, last_input: int) -> None:
    """Insert a committed trip and mark what it replaces.

    ``psycopg.errors.UniqueViolation`` when this revision of the trip is committed already.
    """
    content = change.content
    conn.execute(
        """
        INSERT INTO trip (index, trip_id, revision, carrier, vehicle, start_ms, end_ms, decided_ms,
                          odometer_m, gnss_mm, content_digest, last_input)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            index,
            content.trip_id,
            change.revision,
            content.carrier,
            content.vehicle,
            content.start[0],
            content.end[0],
            content.window[1],
            content.odometer_m,
            content.gnss_mm,
            content.digest,
            last_input,
        ],
    )
    conn.execute(
        "UPDATE trip SET superseded_index = %s WHERE index = ANY(%s) AND superseded_index IS NULL",
        [index, [one.index for one in change.replaced]],
    )


def assurance_records(conn: Connection[Any], carrier: str, devices: Sequence[str]) -> list[bytes]:
    """The device key statements of these devices, as signed."""
    rows = conn.execute(
        """
        SELECT s.raw FROM device_key k JOIN statement s ON s.index = k.index AND s.kind = %s
        WHERE k.carrier = %s AND k.device = ANY(%s) ORDER BY k.index
        """,
        [Kind.DEVICE_KEY, carrier, list(devices)],
    )
    return [bytes(row[0]) for row in rows]


def derived_to(conn: Connection[Any], size: int) -> int:
    """The leaves below this are in every trip that they lead to, within a tree of ``size`` leaves.

    A trip that ended appears once this has passed the leaves of its last segment.
    """
    row = conn.execute(
        """
        SELECT least(
            (SELECT next_index FROM trip_progress),
            (SELECT min(first_index) FROM trip_pending),
            (SELECT min(last_input) FROM trip WHERE index >= %s)
        )
        """,
        [size],
    ).fetchone()
    return 0 if row is None else int(row[0])
