"""Rows as intake and derivation would write them, for tests that need what they committed."""

from typing import Any

import psycopg

from exchange.derive.thresholds import CURRENT
from exchange.transparency.model import NewLeaf
from exchange.transparency.repository import append_under, lock_head
from schemas.kinds import Kind
from schemas.segment import Segment
from schemas.statements.trip import Provenance
from schemas.statements.trip_content import EndRule, StartRule, TripContent

SAMPLES = 60
"""Of each segment, one a second."""


def trip_content(trip_id: bytes, carrier: str, vehicle: str, t0: int, samples: int) -> TripContent:
    """A trip at 80 km/h, its first and last position about a kilometre apart."""
    end = t0 + samples * 1_000
    return TripContent(
        trip_id=trip_id,
        carrier=carrier,
        vehicle=vehicle,
        derivation=1,
        thresholds=CURRENT.digest,
        window=(t0, end),
        start=(t0, StartRule.SPEED),
        end=(end, EndRule.SOURCE_ENDED),
        first_moving_ms=t0,
        moving_ms=end - t0,
        standing_ms=0,
        gap_ms=0,
        samples=samples,
        conflicts=0,
        assurance=1,
        odometer_m=1_300,
        odometer=(10_000, 11_300),
        gnss_mm=1_333_000,
        chords=(0, 0),
        speed=(8_000, 8_000),
        start_position=(520_000_000, 130_000_000),
        end_position=(520_100_000, 130_000_000),
    )


def insert_trip(
    conn: psycopg.Connection[Any], index: int, content: TripContent, provenance: Provenance
) -> None:
    """A trip's row; it supersedes what had its id."""
    conn.execute(
        "UPDATE trip SET superseded_index = %s WHERE trip_id = %s", [index, content.trip_id]
    )
    conn.execute(
        """
        INSERT INTO trip (index, trip_id, revision, carrier, vehicle, start_ms, end_ms, decided_ms,
                          content_digest, last_input)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            index,
            content.trip_id,
            provenance.revision,
            content.carrier,
            content.vehicle,
            content.start[0],
            content.end[0],
            content.window[1],
            content.digest,
            max(provenance.inputs),
        ],
    )


def insert_segment(
    conn: psycopg.Connection[Any],
    segment: Segment,
    *,
    carrier: str,
    device: str,
    vehicle: str,
    raw: bytes,
    digest: bytes,
) -> int:
    """A segment's row and leaf; returns the leaf's index."""
    identity = conn.execute("SELECT nextval('segment_id')").fetchone()
    assert identity is not None
    conn.execute(
        """
        INSERT INTO segment (id, digest, carrier, device, boot, seq, vehicle, t0, t_end, n, step_ms,
                             flags, driver_class, unstored, received_at, committed_at, raw)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1000, 0, %s, 0, now(), now(), %s)
        """,
        [
            identity[0],
            digest,
            carrier,
            device,
            segment.boot,
            segment.seq,
            vehicle,
            segment.t0,
            segment.t0 + (SAMPLES - 1) * 1_000,
            SAMPLES,
            segment.driver_class,
            raw,
        ],
    )
    return append_under(conn, lock_head(conn), [NewLeaf(Kind.SEGMENT, digest, identity[0])])
