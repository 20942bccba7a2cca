"""Bringing the schema up to date, by the role that owns it, and giving the runtime role its rights.

Migrations are raw SQL files of ``migrations/``, run by dbmate (ADR 0020): each file is one
transaction, pending ones run in the order of their numbers, an advisory lock of the server keeps
two starting exchanges apart. A number belongs to one noun: 0001-0009 log and segments, 0010-0019
organisations to grants, 0020-0029 trips, 0030-0039 what became of keys.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import psycopg
from psycopg import Connection

from exchange.store.database import CONNECT_TIMEOUT_S, StoreUnfit, connect
from exchange.store.privileges import grant

MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATE_TIMEOUT_S = 120
_DRIVER_KNOWS = ("user", "password", "host", "port", "sslcert", "sslkey", "sslrootcert", "options")
_VERIFYING = ("verify-ca", "verify-full")


class MigrationSettings(Protocol):
    """What this module needs of the exchange's settings."""

    @property
    def database_url(self) -> str:
        """libpq URL of the runtime role."""

    @property
    def migration_url(self) -> str:
        """libpq URL of the role that owns the schema; may be the same."""


def migrate(settings: MigrationSettings) -> None:
    """Bring the schema up to date and the runtime role's rights with it.

    Where nothing is to be done and one role does it all, nothing is written. Raises
    ``psycopg.OperationalError`` when the server is away, ``StoreUnfit`` when a file fails or the
    role may not.
    """
    with connect(settings) as conn:
        runtime = conn.info.user
        pending = _pending(conn)
    with _as_owner(settings.migration_url) as owner:
        driver, is_other = driver_url(owner), owner.info.user != runtime
    if pending:
        _run_dbmate(driver)
    if is_other:
        with _as_owner(settings.migration_url) as owner:
            _grant(owner, runtime)


def driver_url(conn: Connection[Any]) -> str:
    """The URL by which dbmate's driver reaches what a connection has reached, on the same terms.

    It knows fewer options than libpq, and no TLS "if the server has it": what libpq decided, it is
    told.
    """
    used = {
        option.keyword.decode(): option.val.decode() for option in conn.pgconn.info if option.val
    }
    known = {name: used[name] for name in _DRIVER_KNOWS if name in used}
    known |= {"host": conn.info.host, "port": str(conn.info.port)}
    if used.get("sslmode") in _VERIFYING and conn.pgconn.ssl_in_use:
        known["sslmode"] = used["sslmode"]
    else:
        known["sslmode"] = "require" if conn.pgconn.ssl_in_use else "disable"
    return f"postgres:///{quote(conn.info.dbname, safe='')}?{urlencode(known)}"


def _pending(conn: Connection[Any]) -> bool:
    there = conn.execute("SELECT to_regclass('public.schema_migrations')").fetchone()
    if there is None or there[0] is None:
        return True
    try:
        rows = conn.execute("SELECT version FROM public.schema_migrations").fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return True
    files = {file.name.split("_")[0] for file in MIGRATIONS.glob("*.sql")}
    return bool(files - {row[0] for row in rows})


def _as_owner(url: str) -> Connection[Any]:
    return Connection.connect(
        url, connect_timeout=CONNECT_TIMEOUT_S, application_name="haulproof migration"
    )


def _grant(owner: Connection[Any], runtime: str) -> None:
    try:
        with owner.transaction():
            grant(owner, runtime)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreUnfit(
            f"the role in database_migration_url may not grant ({error.diag.message_primary}): "
            "make it the owner of the database and of its tables"
        ) from None


def _run_dbmate(url: str) -> None:
    program = Path(sys.executable).with_name("dbmate")
    command = [
        str(program),
        "--migrations-dir",
        str(MIGRATIONS),
        "--env-file",
        os.devnull,
        "--no-dump-schema",
        "--migration-lock",
        "migrate",
    ]
    try:
        done = subprocess.run(
            command,
            # By the environment, not as an argument: other users of the host can read arguments.
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=_MIGRATE_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise StoreUnfit("dbmate is missing: install haulproof[exchange] again") from None
    except subprocess.TimeoutExpired:
        raise StoreUnfit(
            f"the database was not migrated within {_MIGRATE_TIMEOUT_S} s: end what holds its locks"
        ) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StoreUnfit(f"the database could not be migrated: {_reason(said)}")


def _reason(said: list[str]) -> str:
    last = said[-1] if said else "no reason"
    if "permission denied" in last:
        return f"{last}: set database_migration_url to the role that owns the schema"
    return last
