"""Moments at which a kill hurts: while something is being committed."""

import time
from contextlib import suppress
from pathlib import Path

import psycopg

_IN_TRANSACTION = """
    SELECT 1 FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND backend_xid IS NOT NULL
"""
_PATIENCE_S = 20.0


def wait_for_database_commit(url: str) -> None:
    """Return while a transaction that has written something is open in the exchange's database.

    The database may still be recovering from an earlier kill.
    """
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as conn:
            while time.monotonic() < until:
                if conn.execute(_IN_TRANSACTION).fetchone() is not None:
                    return
        time.sleep(0.05)
    raise AssertionError("nothing was committed for a while: the load has ended")


def wait_for_file_growth(path: Path) -> None:
    """Return as soon as the file is written to: an SQLite log grows while it commits."""
    before, until = _stamp(path), time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if _stamp(path) != before:
            return
        time.sleep(0.0005)
    raise AssertionError(f"{path.name} was not written to for a while: the load has ended")


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns
