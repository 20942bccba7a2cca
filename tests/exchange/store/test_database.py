"""Connections against a real PostgreSQL."""

from dataclasses import dataclass

import psycopg
import pytest

from exchange.store import database
from exchange.store.database import StoreUnfit
from schemas.catalogue import SIGNALS


@dataclass(frozen=True)
class Store:
    database_url: str


def test_without_a_database_s_url_it_is_told() -> None:
    with pytest.raises(StoreUnfit, match="no database is configured"):
        database.connect(Store(""))


def test_a_host_that_falls_silent_is_given_up_within_half_a_minute(postgres: str) -> None:
    with database.connect(Store(postgres)) as conn:
        told = conn.info.get_parameters()

    idle, interval, count = (
        int(told[f"keepalives_{name}"]) for name in ("idle", "interval", "count")
    )
    assert idle + interval * count <= 30
    assert 0 < int(told["tcp_user_timeout"]) <= 30_000


def test_signals_have_the_catalogue_s_columns(postgres: str) -> None:
    with database.connect(Store(postgres)) as conn:
        rows = conn.execute(
            "SELECT attname, format_type(atttypid, NULL), attstorage FROM pg_attribute"
            " WHERE attrelid = 'segment'::regclass AND attname ~ '^s[0-9]+$'"
        ).fetchall()
        view = conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'sample'::regclass"
        ).fetchall()

    storage = {"int2": "smallint[]", "int4": "integer[]"}
    assert {row[0]: row[1] for row in rows} == {
        signal.column: storage[signal.storage] for signal in SIGNALS.values()
    }
    assert {row[2] for row in rows} <= {b"m", "m"}
    assert {signal.path for signal in SIGNALS.values()} <= {row[0] for row in view}


def test_a_server_that_may_lose_commits_is_refused(postgres: str) -> None:
    with database.connect(Store(postgres)) as conn:
        assert database.check_durability(conn) == {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
        }
        conn.execute("SET synchronous_commit = off")
        with pytest.raises(StoreUnfit, match="synchronous_commit"):
            database.check_durability(conn)


def test_the_pool_commits_or_rolls_back(postgres: str) -> None:
    with database.pool(Store(postgres), 2) as pool:
        with pool.connection() as conn:
            conn.execute("INSERT INTO organisation VALUES ('kept', 'bank')")
        with pytest.raises(psycopg.errors.DivisionByZero), pool.connection() as conn:
            conn.execute("INSERT INTO organisation VALUES ('lost', 'bank'); SELECT 1/0")
        with pool.connection() as conn:
            rows = conn.execute("SELECT name FROM organisation").fetchall()

    assert rows == [("kept",)]
