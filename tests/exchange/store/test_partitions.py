"""Segments in native partitions, where the server has no TimescaleDB."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.segments.repository import make_partitions
from tests.exchange.store.filed import ROWS, check_exposure, file_rows

ROWS_EACH = 16_777_216
AHEAD = 5


@pytest.fixture
def conn(postgres: str) -> Any:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def partitions(conn: Connection[Any]) -> list[str]:
    rows = conn.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'segment'::regclass"
    )
    return sorted(row[0] for row in rows)


def test_partitions_stand_ready_and_are_made_by_the_runtime_role_as_ids_go_on(
    conn: Connection[Any], owner: Connection[Any]
) -> None:
    first = [f"segment_{n}" for n in range(AHEAD)]
    assert partitions(conn) == [*first, "segment_rest"]
    assert make_partitions(conn) == 0

    owner.execute("SELECT setval('segment_id', %s)", [3 * ROWS_EACH + 7])
    assert make_partitions(conn) == 3
    assert make_partitions(conn) == 0
    assert "segment_7" in partitions(conn)


def test_rows_go_by_their_ids_and_a_lookup_by_id_reads_one_partition(
    conn: Connection[Any],
) -> None:
    file_rows(conn, first_id=ROWS_EACH - 100)

    found = conn.execute("SELECT tableoid::regclass::text, count(*) FROM segment GROUP BY 1")
    assert dict(found.fetchall()) == {"segment_0": 100, "segment_1": ROWS + 1 - 100}
    plan = conn.execute(
        "EXPLAIN (COSTS OFF) SELECT seq FROM segment WHERE id = %s", [ROWS_EACH + 1]
    ).fetchall()
    assert "segment_1" in plan[0][0]
    assert not any("segment_0" in row[0] for row in plan)
    check_exposure(conn)


def test_what_finds_no_partition_is_kept_and_its_range_is_left_to_the_rest(
    conn: Connection[Any], owner: Connection[Any]
) -> None:
    file_rows(conn, first_id=9 * ROWS_EACH)
    owner.execute("SELECT setval('segment_id', %s)", [8 * ROWS_EACH])

    make_partitions(conn)

    assert "segment_8" in partitions(conn)
    assert "segment_9" not in partitions(conn)
    file_rows(conn, first_id=9 * ROWS_EACH + 1_000)
    assert conn.execute("SELECT count(*) FROM segment").fetchone() == (2 * (ROWS + 1),)


def test_inserts_go_on_while_a_partition_is_made(
    conn: Connection[Any], owner: Connection[Any], postgres: str
) -> None:
    owner.execute("SELECT setval('segment_id', %s)", [2 * ROWS_EACH])
    with psycopg.connect(postgres) as writer:
        file_rows(writer, first_id=1)
        assert make_partitions(conn) == 2
        writer.commit()

    assert conn.execute("SELECT count(*) FROM segment").fetchone() == (ROWS + 1,)
