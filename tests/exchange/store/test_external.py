"""A PostgreSQL of the operator's own: least privilege, and TLS that is checked, by every way in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from exchange.certificates import make_ca
from exchange.directory import Directory
from exchange.store.database import StoreUnfit, check_durability, connect, pool
from exchange.store.migration import MIGRATIONS, driver_url, migrate
from tests.exchange.debian_postgres import DebianPostgres, debian_postgres, superuser_url
from tests.exchange.store.privileges import check_privileges, check_refusals


@dataclass(frozen=True)
class Urls:
    database_url: str
    migration_url: str


@pytest.fixture(scope="module")
def server(exchange_directory: Directory) -> Iterator[DebianPostgres]:
    with debian_postgres(exchange_directory) as made:
        yield made


@pytest.fixture(scope="module")
def migrated(server: DebianPostgres) -> DebianPostgres:
    migrate(server)
    return server


def test_one_role_migrates_and_the_other_works_with_what_it_was_given(
    migrated: DebianPostgres,
) -> None:
    with connect(migrated) as conn:
        assert conn.pgconn.ssl_in_use
        check_durability(conn)
        applied = conn.execute("SELECT count(*) FROM schema_migrations").fetchone()
        conn.execute("INSERT INTO organisation VALUES ('acme', 'carrier')")

    assert applied == (len(list(MIGRATIONS.glob("*.sql"))),)
    with pool(migrated, 1) as connections, connections.connection() as conn:
        assert conn.execute("SELECT name FROM organisation").fetchall() == [("acme",)]


def test_the_runtime_role_has_the_rights_of_the_table_and_no_others(
    migrated: DebianPostgres,
) -> None:
    with psycopg.connect(migrated.database_url, autocommit=True) as conn:
        check_privileges(conn)
        check_refusals(conn)


def test_once_migrated_the_runtime_role_s_url_is_enough(migrated: DebianPostgres) -> None:
    migrate(Urls(migrated.database_url, migrated.database_url))


def test_a_new_right_or_a_stray_one_is_put_in_order_at_the_next_start(
    migrated: DebianPostgres,
) -> None:
    with psycopg.connect(superuser_url(migrated.port, "haulproof"), autocommit=True) as superuser:
        superuser.execute("GRANT ALL ON leaf, statement TO haulproof_runtime, PUBLIC")
        superuser.execute("REVOKE INSERT ON segment FROM haulproof_runtime")
    migrate(migrated)

    with psycopg.connect(migrated.database_url, autocommit=True) as conn:
        check_privileges(conn)


@pytest.mark.parametrize("role", ["haulproof_runtime", "haulproof_owner"])
def test_a_server_with_another_s_certificate_or_name_is_not_believed(
    migrated: DebianPostgres, tmp_path: Path, role: str
) -> None:
    foreign = tmp_path / "ca.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    foreign.write_bytes(make_ca(key, "somebody else", datetime.now(UTC), 1))
    right = migrated.database_url
    for wrong in (
        migrated.url(role, sslrootcert=str(foreign)),
        migrated.url(role, host="elsewhere.example", hostaddr="127.0.0.1"),
    ):
        urls = Urls(wrong, right) if role == "haulproof_runtime" else Urls(right, wrong)
        with pytest.raises(psycopg.OperationalError, match="certificate"):
            migrate(urls)


@pytest.mark.parametrize(
    ("asked", "told"),
    [("verify-full", "verify-full"), ("prefer", "require"), ("disable", "disable")],
)
def test_dbmate_migrates_on_the_terms_that_libpq_found(
    migrated: DebianPostgres, asked: str, told: str
) -> None:
    name = f"by_{told.replace('-', '_')}"
    with psycopg.connect(superuser_url(migrated.port), autocommit=True) as superuser:
        superuser.execute(f"CREATE DATABASE {name} OWNER haulproof_owner".encode())
    more = {"sslmode": asked, "keepalives_idle": "30", "database": name}
    url = migrated.url("haulproof_owner", **more)

    migrate(Urls(migrated.url("haulproof_runtime", database=name), url))

    with psycopg.connect(url) as conn:
        driver = driver_url(conn)
    assert f"sslmode={told}" in driver
    assert "keepalives" not in driver


def test_a_server_that_may_lose_commits_is_refused(migrated: DebianPostgres) -> None:
    with connect(migrated) as conn:
        conn.execute("SET synchronous_commit = off")
        with pytest.raises(StoreUnfit, match="synchronous_commit"):
            check_durability(conn)
