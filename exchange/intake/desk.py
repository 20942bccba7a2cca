"""Where receipts are waited for: a connection that hears of checkpoints and makes the answers."""

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection, sql

from exchange.intake.model import Placed
from exchange.intake.receipts import Answer, acks
from exchange.transparency.model import CHECKPOINT_CHANNEL, Published
from exchange.transparency.repository import node_reader, published


class CheckpointDesk:
    """Reads published checkpoints and proofs under them; opens its connection again when lost."""

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self._connect = connect
        self._conn: Connection[Any] | None = None

    def newest(self) -> Published | None:
        """The newest published checkpoint; ``psycopg.OperationalError`` when the store is away."""
        return published(self._open())

    def wait(self, timeout_s: float) -> None:
        """Until a checkpoint is published, or the time is over."""
        for _ in self._open().notifies(timeout=timeout_s, stop_after=1):
            pass

    def answers(self, newest: Published, covered: Sequence[Placed]) -> list[Answer]:
        """Acknowledgements of what the checkpoint covers."""
        return acks(newest, covered, node_reader(self._open(), newest.size))

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _open(self) -> Connection[Any]:
        if self._conn is None:
            conn = self._connect()
            conn.autocommit = True
            conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHECKPOINT_CHANNEL)))
            self._conn = conn
        return self._conn
