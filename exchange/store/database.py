"""PostgreSQL as the exchange's processes use it: connections, the pool, durability."""

from typing import Any, Protocol

from psycopg import Connection
from psycopg_pool import ConnectionPool

from exchange.exits import EnvironmentUnfit

VERSION_MIN = 15
CONNECT_TIMEOUT_S = 5
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_SILENCE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A host that fell silent is given up after some 20 s, not after the kernel's two hours (libpq)."""


class DatabaseSettings(Protocol):
    """What this module needs of the exchange's settings."""

    @property
    def database_url(self) -> str:
        """A libpq URL or conninfo string; for the embedded server it is filled in."""


class StoreUnfit(EnvironmentUnfit):
    """The database cannot be used as it stands; the text says what the operator should do."""


def connect(settings: DatabaseSettings) -> Connection[Any]:
    """One connection, in transactions that the caller commits; ``psycopg.OperationalError``."""
    return Connection.connect(
        _url_of(settings),
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="haulproof",
        options="-c timezone=UTC",
        **_SILENCE,
    )


def pool(settings: DatabaseSettings, size_max: int = 8) -> ConnectionPool[Connection[Any]]:
    """An open pool: ``with pool.connection() as conn`` commits, or rolls back on an exception."""
    made: ConnectionPool[Connection[Any]] = ConnectionPool(
        _url_of(settings),
        kwargs={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "haulproof",
            "options": "-c timezone=UTC",
            **_SILENCE,
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
    """``durability``, or ``StoreUnfit`` for an old server or one that may lose what it commits."""
    if conn.info.server_version < VERSION_MIN * 10_000:
        raise StoreUnfit(
            f"the database is PostgreSQL {conn.info.server_version // 10_000}: "
            f"use {VERSION_MIN} or newer"
        )
    found = durability(conn)
    off = sorted(name for name, value in found.items() if value == "off")
    if off:
        raise StoreUnfit(
            f"the database may lose what it committed: turn on {', '.join(off)} in postgresql.conf"
        )
    return found


def _url_of(settings: DatabaseSettings) -> str:
    if not settings.database_url:
        raise StoreUnfit("no database is configured: start with haulproof up, or set database_url")
    return settings.database_url
