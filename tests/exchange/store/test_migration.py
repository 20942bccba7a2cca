"""Migrations: the files, and the roles that run and use them, on the embedded PostgreSQL."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.store import database
from exchange.store.database import StoreUnfit
from exchange.store.migration import MIGRATIONS, migrate
from tests.exchange.owner import owner_url
from tests.exchange.store.privileges import check_privileges, check_refusals


@dataclass(frozen=True)
class Store:
    """One role for everything, unless the other is told."""

    database_url: str
    owner_url: str = ""

    @property
    def migration_url(self) -> str:
        return self.owner_url or self.database_url


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
        list(both.map(migrate, [store, store]))
    migrate(store)

    with database.connect(store) as conn:
        applied = conn.execute("SELECT count(*) FROM schema_migrations").fetchone()
    assert applied == (len(list(MIGRATIONS.glob("*.sql"))),)


def test_a_database_that_is_not_there_is_told_by_its_own_error(empty_postgres: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="no-such"):
        migrate(Store(empty_postgres.replace("@/", "@/no-such-")))


def test_a_role_that_may_not_migrate_is_told_what_to_set(
    postgres_server: EmbeddedPostgres, empty_postgres: str
) -> None:
    with psycopg.connect(postgres_server.superuser_url, autocommit=True) as superuser:
        name = psycopg.conninfo.conninfo_to_dict(empty_postgres)["dbname"]
        superuser.execute(f"ALTER DATABASE {name} OWNER TO haulproof_owner")

    with pytest.raises(StoreUnfit, match=r"permission denied.*set database_migration_url"):
        migrate(Store(empty_postgres))


def test_the_runtime_role_has_the_rights_of_the_table_and_no_others(
    exchange_directory: Directory, postgres: str
) -> None:
    migrate(Store(postgres, owner_url(exchange_directory, postgres)))

    with psycopg.connect(postgres, autocommit=True) as conn:
        check_privileges(conn)
        check_refusals(conn)
