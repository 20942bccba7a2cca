"""Connections and migrations against a real PostgreSQL."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from exchange.store import database
from exchange.store.database import MIGRATIONS, StoreUnfit
from schemas.catalogue import SIGNALS


@dataclass(frozen=True)
class Store:
    database_url: str


def test_every_migration_has_a_number_of_its_own_and_is_never_taken_back() -> None:
    files = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    numbers = [name.split("_")[0] for name in files]

    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in files)
    assert len(set(numbers)) == len(numbers)
    for name in files:
        text = (MIGRATIONS / name).read_text()
        assert text.startswith("-- migrate:up\n")
        assert text.endswith("\n-- migrate:down\n")


def test_migrating_again_or_twice_at_once_changes_nothing(empty_postgres: str) -> None:
    store = Store(empty_postgres)

    with ThreadPoolExecutor(2) as both:
        list(both.map(database.migrate, [store, store]))
    database.migrate(store)

    with database.connect(store) as conn:
        applied = conn.execute("SELECT count(*) FROM schema_migrations").fetchone()
    assert applied == (len(list(MIGRATIONS.glob("*.sql"))),)


def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(empty_postgres: str) -> None:
    with pytest.raises(StoreUnfit, match="could not be migrated"):
        database.migrate(Store(empty_postgres.replace("@/", "@/no-such-")))
    with pytest.raises(StoreUnfit, match="no database is configured"):
        database.connect(Store(""))


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
            conn.execute("CREATE TABLE kept (a int)")
        with pytest.raises(psycopg.errors.DivisionByZero), pool.connection() as conn:
            conn.execute("CREATE TABLE lost (a int); SELECT 1/0")
        with pool.connection() as conn:
            row = conn.execute("SELECT to_regclass('kept')::text, to_regclass('lost')").fetchone()

    assert row == ("kept", None)


def test_the_driver_s_url_names_socket_and_database() -> None:
    socket = database.migration_url("postgresql://me:p%2Fw@/my%20db?host=/run/x")
    tcp = database.migration_url("host=db.example port=5433 user=me dbname=hp sslmode=verify-full")

    assert socket == "postgres:///my%20db?user=me&password=p%2Fw&host=%2Frun%2Fx&sslmode=disable"
    assert tcp == "postgres:///hp?user=me&host=db.example&port=5433&sslmode=verify-full"
