"""PostgreSQL as the exchange uses it: connections, the pool, durability, migrations.

Migrations are raw SQL files of ``migrations/``, run by dbmate (ADR 0020): each file is one
transaction, pending ones run in the order of their numbers, an advisory lock of the server keeps
two starting exchanges apart. A number belongs to one noun: 0001-0009 log and segments, 0010-0019
organisations to grants, 0020-0029 trips.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from psycopg import Connection, conninfo
from psycopg_pool import ConnectionPool

from exchange.exits import EnvironmentUnfit

MIGRATIONS = Path(__file__).with_name("migrations")
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_CONNECT_TIMEOUT_S = 5
_MIGRATE_TIMEOUT_S = 120


class DatabaseSettings(Protocol):
    """What this module needs of the exchange's settings."""

    @property
    def database_url(self) -> str:
        """A libpq URL or conninfo string; the supervisor fills in the embedded server's."""


class StoreUnfit(EnvironmentUnfit):
    """The database cannot be used as it stands; the text says what the operator should do."""


def connect(settings: DatabaseSettings) -> Connection[Any]:
    """One connection, in transactions that the caller commits; ``psycopg.OperationalError``."""
    return Connection.connect(
        _url_of(settings),
        connect_timeout=_CONNECT_TIMEOUT_S,
        application_name="haulproof",
        options="-c timezone=UTC",
    )


def pool(settings: DatabaseSettings, size_max: int = 8) -> ConnectionPool[Connection[Any]]:
    """An open pool: ``with pool.connection() as conn`` commits, or rolls back on an exception."""
    made: ConnectionPool[Connection[Any]] = ConnectionPool(
        _url_of(settings),
        kwargs={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "haulproof",
            "options": "-c timezone=UTC",
        },
        check=ConnectionPool.check_connection,  # none that died with its server is handed out
        min_size=1,
        max_size=size_max,
        open=False,
    )
    made.open(wait=True, timeout=30)
    return made


def durability(conn: Connection[Any]) -> dict[str, str]:
    """The server's settings that decide whether a commit survives a power cut."""
    rows = conn.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(_DURABLE)]
    )
    return dict(rows.fetchall())


def check_durability(conn: Connection[Any]) -> dict[str, str]:
    """``durability``, or ``StoreUnfit`` when a committed record could be lost."""
    found = durability(conn)
    off = sorted(name for name, value in found.items() if value == "off")
    if off:
        raise StoreUnfit(
            f"the database may lose what it committed: turn on {', '.join(off)} in postgresql.conf"
        )
    return found


def migrate(settings: DatabaseSettings) -> None:
    """Bring the schema up to date; ``StoreUnfit`` with dbmate's words when a file fails."""
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
    # By the environment, not as an argument: other users of the host can read arguments.
    environment = {**os.environ, "DATABASE_URL": migration_url(_url_of(settings))}
    try:
        done = subprocess.run(
            command,
            env=environment,
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
        raise StoreUnfit(f"the database could not be migrated: {said[-1] if said else 'no reason'}")


def migration_url(database_url: str) -> str:
    """The URL in which dbmate's driver reads any libpq conninfo, Unix sockets included."""
    parts = conninfo.conninfo_to_dict(database_url)
    name = str(parts.pop("dbname", None) or "postgres")
    host = str(parts.get("host") or "")
    if host.startswith("/"):  # a Unix socket has no TLS, and the driver would ask for it
        parts["sslmode"] = "disable"
    query = urlencode({key: value for key, value in parts.items() if value is not None})
    return f"postgres:///{quote(name, safe='')}?{query}"


def _url_of(settings: DatabaseSettings) -> str:
    if not settings.database_url:
        raise StoreUnfit("no database is configured: start with haulproof up, or set database_url")
    return settings.database_url
