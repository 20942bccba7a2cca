"""One worker's way with the database: batches in, durable results out. Knows no broker."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from exchange.intake.batch import take
from exchange.intake.keys import KeyRing
from exchange.intake.model import BatchResult, Message
from exchange.intake.repository import keep_refused
from exchange.intake.verification import refused
from exchange.transparency.model import LogDamaged
from schemas.errors import Reason

log = structlog.get_logger("intake")

RETRIED = (psycopg.OperationalError, psycopg.InterfaceError, LogDamaged)
"""What is nobody's message's fault: the whole batch is tried again."""

_OF_THE_STORE = (psycopg.Error, LogDamaged, MemoryError)
_OF_A_MESSAGE = (psycopg.DataError, psycopg.IntegrityError)


class Worker:
    """Takes batches, one at a time, over one connection that it opens again when it was lost."""

    def __init__(
        self,
        connect: Callable[[], Connection[Any]],
        origin: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._connect = connect
        self._origin = origin
        self._clock = clock
        self._keys = KeyRing()
        self._conn: Connection[Any] | None = None

    def handle(self, messages: Sequence[Message]) -> BatchResult:
        """Commit what can be committed, keep aside what is refused; durable when it returns.

        Raises one of ``RETRIED`` when the store cannot do it now; then the batch may or may not
        be committed, and handing it in again does no harm.
        """
        conn = self._open()
        try:
            result = self._take(conn, messages)
            if result.refused:
                with conn.transaction():
                    keep_refused(conn, result.refused)
        except RETRIED:
            self.close()
            raise
        return result

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _open(self) -> Connection[Any]:
        if self._conn is None:
            self._conn = self._connect()
            self._conn.autocommit = True
        return self._conn

    def _take(self, conn: Connection[Any], messages: Sequence[Message]) -> BatchResult:
        """Take a batch; halve it around a message that breaks what should not break.

        A batch that holds too much at once (``TooMuchAtOnce``) is halved likewise.
        """
        try:
            return take(conn, messages, self._origin, self._keys, self._clock())
        except Exception as error:
            if isinstance(error, _OF_THE_STORE) and not isinstance(error, _OF_A_MESSAGE):
                raise
            if len(messages) == 1:
                return self._give_up(messages[0], error)
        half = len(messages) // 2
        parts = [self._take(conn, part) for part in (messages[:half], messages[half:])]
        return BatchResult(
            [one for part in parts for one in part.committed],
            [one for part in parts for one in part.duplicates],
            [one for part in parts for one in part.refused],
        )

    def _give_up(self, message: Message, error: Exception) -> BatchResult:
        log.error("message-breaks-intake", topic=message.topic, error=repr(error))
        detail = f"could not be judged: {type(error).__name__}"
        return BatchResult(refused=[refused(message, Reason.UNSUPPORTED, detail, passing=True)])
