"""Rows of segments as intake files them, a row an hour, for tests of where and how they lie."""

from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

START = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 480
VEHICLES = 3
ROWS_A_DAY = 24 // VEHICLES
METRES_A_ROW = 1_000.0
SECONDS_A_ROW = 59


def file_rows(conn: Connection[Any], first_id: int = 1) -> None:
    """``ROWS`` segments of ``VEHICLES`` vehicles in turn, one an hour, and one of driver class."""
    conn.execute(
        """
        INSERT INTO segment (id, digest, carrier, device, boot, seq, vehicle, t0, t_end, n, step_ms,
                             flags, driver_class, unstored, received_at, committed_at, filed_at,
                             raw, distance_m, speed_mean, speed_max, s1)
        SELECT %(first)s + i, sha256(i::text::bytea), 'acme', 'dev-1', '\\x00', i,
               'v-' || i %% %(vehicles)s, ms + i * 3600000, ms + i * 3600000 + 59000, 60, 1000,
               0, i = %(rows)s, 0, at, at, at, '\\x00', 1000, 3600, 2000 + i, '{100, NULL, 300}'
        FROM generate_series(0, %(rows)s) AS i,
             LATERAL (SELECT %(start)s::timestamptz + i * interval '1 hour' AS at,
                             (extract(epoch FROM %(start)s::timestamptz) * 1000)::bigint AS ms) t
        """,
        {"first": first_id, "rows": ROWS, "vehicles": VEHICLES, "start": START},
    )


def check_exposure(conn: Connection[Any]) -> None:
    """A row for each vehicle and day, driver class left out."""
    rows = conn.execute(
        "SELECT vehicle, day, segments, samples, observed_ms, distance_m, speed_distance_m"
        " FROM exposure"
        " WHERE carrier = 'acme' ORDER BY day, vehicle"
    ).fetchall()
    assert len(rows) == VEHICLES * ROWS // 24
    assert rows[0][:2] == ("v-0", START)
    assert {row[2:] for row in rows} == {
        (
            ROWS_A_DAY,
            ROWS_A_DAY * 60,
            ROWS_A_DAY * SECONDS_A_ROW * 1000,
            ROWS_A_DAY * METRES_A_ROW,
            ROWS_A_DAY * SECONDS_A_ROW * 10.0,
        )
    }
