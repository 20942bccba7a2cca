"""The feeder as a ``SegmentQueue``: a worker's end of the socket to the one MQTT session.

A connection that ends gives back what was in hand; a new one begins without it.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exchange.directory import Directory
from exchange.embedded.socket_folder import short_way
from exchange.intake.feed_frames import Said, read_frame, write_frame
from exchange.intake.model import Message
from exchange.intake.queue import BrokerError
from exchange.intake.receipts import Answer

SOCKET = "feed.sock"
_IDLE_S = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def socket_path(directory: Directory) -> Path:
    """Where the feeder listens: in the directory, which is ours alone."""
    return short_way(directory.root, SOCKET) / SOCKET


class FeedQueue:
    """One worker's connection to the feeder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._batch: asyncio.Task[Any] | None = None

    async def open(self) -> None:
        """Connect, without what an earlier connection had in hand."""
        await self.disconnect()
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        self._connection += 1

    async def next_batch(self, messages_max: int, age_s: float) -> list[Message]:
        """What the feeder gives; none when idle, and then the same wish stands."""
        if self._reader is None:
            raise BrokerError("the queue is not open")
        if self._batch is None:
            await self._say([Said.WANT, messages_max, round(age_s * 1000)])
            self._batch = asyncio.create_task(read_frame(self._reader))
        await asyncio.wait([self._batch], timeout=_IDLE_S)
        if not self._batch.done():
            return []
        given, self._batch = self._batch, None
        try:
            return [self._message(*one) for one in given.result()]
        except EOFError:
            raise BrokerError("the feeder went away") from None

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the feeder; what came on an earlier connection is no longer ours to settle."""
        tokens = [
            message.token[1]
            for message in messages
            if isinstance(message.token, tuple) and message.token[0] == self._connection
        ]
        await self._say([Said.DONE, tokens])

    async def answer(self, answers: Sequence[Answer]) -> None:
        """Have the feeder publish to devices."""
        await self._say([Said.ANSWER, [[answer.topic, answer.payload] for answer in answers]])

    async def close(self) -> None:
        """Wait for no batch; one that comes all the same goes back when we disconnect."""
        if self._batch is not None:
            self._batch.cancel()
            await asyncio.wait([self._batch])
            self._batch = None
        self._reader = None

    async def disconnect(self) -> None:
        """End the connection."""
        await self.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    async def _say(self, content: object) -> None:
        if self._writer is None:
            raise BrokerError("the feeder is away")
        write_frame(self._writer, content)
        await self._writer.drain()

    def _message(self, token: int, topic: str, payload: bytes, received_us: int) -> Message:
        at = _EPOCH + timedelta(microseconds=received_us)
        return Message(topic, payload, at, (self._connection, token))
