"""Segments in a hypertable: chunks, compression, exposure per vehicle and day, rights."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.segments.repository import make_partitions
from exchange.store.migration import MIGRATIONS, migrate
from exchange.store.privileges import grant_in_schema
from tests.exchange.store.filed import ROWS, check_exposure, file_rows
from tests.exchange.store.privileges import check_privileges, check_refusals
from tests.exchange.store.test_migration import Store


@pytest.fixture
def filled(timescale: Connection[Any]) -> Connection[Any]:
    if timescale.execute("SELECT count(*) FROM segment").fetchone() == (0,):
        file_rows(timescale)
    return timescale


def test_every_migration_runs_and_running_them_again_changes_nothing(timescale_url: str) -> None:
    migrate(Store(timescale_url))

    with psycopg.connect(timescale_url) as conn:
        rows = conn.execute("SELECT version FROM schema_migrations").fetchall()
    assert len(rows) == len(list(MIGRATIONS.glob("*.sql")))


def test_segments_lie_in_chunks_of_a_week_and_need_no_partitions_of_ours(
    filled: Connection[Any],
) -> None:
    made = filled.execute(
        "SELECT num_chunks, compression_enabled FROM timescaledb_information.hypertables"
        " WHERE hypertable_name = 'segment'"
    ).fetchone()
    assert made == (4, True)
    assert make_partitions(filled) == 0


def test_exposure_is_a_continuous_aggregate_that_sees_the_newest_rows(
    filled: Connection[Any],
) -> None:
    found = filled.execute("SELECT view_name FROM timescaledb_information.continuous_aggregates")
    assert found.fetchall() == [("exposure",)]
    check_exposure(filled)
    filled.execute("CALL refresh_continuous_aggregate('exposure', NULL, NULL)")
    check_exposure(filled)


def test_compressed_chunks_answer_as_before(filled: Connection[Any]) -> None:
    questions = (
        "SELECT count(*), sum(s1[1]), sum(s1[3]) FROM segment",
        "SELECT count(*) FROM sample WHERE vehicle = 'v-1'",
        "SELECT id, digest, s1 FROM segment WHERE id = 17",
        "SELECT id FROM segment WHERE carrier = 'acme' AND vehicle = 'v-2' AND t0 < 1772600000000"
        " ORDER BY id",
    )
    before = [filled.execute(question.encode()).fetchall() for question in questions]
    compressed = filled.execute(
        "SELECT count(compress_chunk(chunk, if_not_compressed => true))"
        " FROM show_chunks('segment') AS chunk"
    ).fetchone()

    assert compressed == (4,)
    assert before[0] == [(ROWS + 1, 100 * (ROWS + 1), 300 * (ROWS + 1))]
    assert [filled.execute(question.encode()).fetchall() for question in questions] == before


def test_what_comes_late_for_a_compressed_week_is_taken(filled: Connection[Any]) -> None:
    filled.execute(
        "SELECT compress_chunk(chunk, if_not_compressed => true)"
        " FROM show_chunks('segment') AS chunk"
    )
    with filled.transaction(force_rollback=True):
        file_rows(filled, first_id=10_000)
        assert filled.execute("SELECT count(*) FROM segment").fetchone() == (2 * (ROWS + 1),)


def test_the_runtime_role_has_the_rights_of_the_table_and_no_others(
    filled: Connection[Any],
) -> None:
    with filled.transaction():
        grant_in_schema(filled, "haulproof_runtime")  # WebAssembly can't change its database's row
    filled.execute("SET ROLE haulproof_runtime")
    try:
        check_privileges(filled)
        check_refusals(filled, also=())
        check_exposure(filled)
        with filled.transaction(force_rollback=True):
            file_rows(filled, first_id=20_000)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.execute("SELECT drop_chunks('segment', older_than => now())")
    finally:
        filled.execute("RESET ROLE")
