"""The fence for exchanges on several hosts: one row in a PostgreSQL that is not the exchange's own.

A swap is one conditional statement, so the server's row lock decides between hosts that race, and
the answer, its row count. The table is made by the operator (``docs/examples/fence.sql``): a fence
that made itself anew would be an empty one.
"""

from typing import Any

import psycopg
from psycopg import Connection, conninfo

from exchange.store.database import StoreUnfit, check_durability, connect
from ledger.fence import FENCE_BYTES_MAX, FenceMoved, FenceUncertain

_STATEMENT_TIMEOUT_MS = 10_000
_UNDECIDED = ("08", "40", "57", "58", "XX")
"""Classes of SQLSTATE after which a statement may have been committed all the same."""

_READ = "SELECT note FROM haulproof_fence WHERE origin = %s"
_SET_FIRST = (
    "INSERT INTO haulproof_fence (origin, note) VALUES (%s, %s) ON CONFLICT (origin) DO NOTHING"
)
_SWAP = """
UPDATE haulproof_fence SET note = %s, moved_at = clock_timestamp()
WHERE origin = %s AND note = %s
"""


class FenceUnfit(OSError):
    """The fence's database cannot guard a log; the text says what the operator should do."""


class RowFence:
    """The row of one log; ``Fence``. Connects when it is first needed, and again after a fault.

    ``apart_from`` is the system identifier of the server that the exchange's own records are in:
    one restore would roll back both.
    """

    def __init__(self, url: str, origin: str, apart_from: int) -> None:
        self._url = url
        self._origin = origin
        self._apart_from = apart_from
        self._held: Connection[Any] | None = None

    def read(self) -> bytes | None:
        """The value, committed; ``None`` when none was ever set. Raises ``OSError``."""
        try:
            row = self._connection().execute(_READ, [self._origin]).fetchone()
        except psycopg.Error as error:
            self.close()
            raise OSError(f"the fence's database does not serve ({_reason(error)})") from error
        if row is None:
            return None
        if len(row[0]) > FENCE_BYTES_MAX:
            raise OSError("the fence's row is too large to be one")
        return bytes(row[0])

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        """Set ``new`` if the value is ``expected``; see ``Fence``."""
        try:
            connection = self._connection()
        except psycopg.Error as error:
            self.close()
            raise OSError(f"the fence's database does not serve ({_reason(error)})") from error
        try:
            if expected is None:
                done = connection.execute(_SET_FIRST, [self._origin, new])
            else:
                done = connection.execute(_SWAP, [new, self._origin, expected])
        except psycopg.Error as error:
            undecided = connection.broken or (error.sqlstate or "08")[:2] in _UNDECIDED
            self.close()
            if undecided:
                raise FenceUncertain(f"the fence's answer was lost ({_reason(error)})") from error
            raise OSError(f"the fence's database refuses ({_reason(error)})") from error
        if done.rowcount != 1:
            raise FenceMoved("the fence holds another checkpoint")

    def close(self) -> None:
        """End the connection; the next call makes another."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def _connection(self) -> Connection[Any]:
        if self._held is None:
            made = connect(_Place(self._url))
            try:
                self._check(made)
            except BaseException:
                made.close()
                raise
            self._held = made
        return self._held

    def _check(self, made: Connection[Any]) -> None:
        made.autocommit = True
        made.execute(f"SET statement_timeout = {_STATEMENT_TIMEOUT_MS}")
        try:
            check_durability(made)
        except StoreUnfit as unfit:
            raise FenceUnfit(f"fence_url: {unfit}") from None
        if system_identifier(made) == self._apart_from:
            raise FenceUnfit(
                "fence_url names the server that the exchange's own records are in: a restore "
                "would roll back both, so choose another server"
            )
        there = made.execute("SELECT to_regclass('haulproof_fence')").fetchone()
        if there is None or there[0] is None:
            raise FenceUnfit(
                "the database in fence_url has no table haulproof_fence: make it once, as in "
                "docs/examples/fence.sql"
            )


def system_identifier(conn: Connection[Any]) -> int:
    """What tells one PostgreSQL server's data from another's; copies of it have the same."""
    row = conn.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    return int(row[0]) if row is not None else 0


class _Place:
    """Where the fence is, as ``connect`` asks for it: the server that may be written to."""

    def __init__(self, url: str) -> None:
        self.database_url = conninfo.make_conninfo(url, target_session_attrs="read-write")


def _reason(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
