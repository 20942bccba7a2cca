"""Between one MQTT session and the intake workers: who gets what, and what the broker may forget.

The session's thread fills the window and waits when it is full; the event loop serves the workers'
sockets. Nothing is acknowledged to the broker before a worker has said that it is durable.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from exchange.intake.feed_frames import BATCH_BYTES_MAX, Said, read_frame, write_frame
from exchange.intake.window import Held, Window

_FILLING_S = 0.005
"""How often a batch that is being filled is looked at."""

log = structlog.get_logger("feed")


class Session(Protocol):
    """What the feeder needs of the broker's session; called from the event loop."""

    def acknowledge(self, packet_id: int) -> None:
        """The broker may forget this message."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send an answer to a device."""


class Feeder:
    """Made in the event loop; ``arrived`` and ``session_ended`` are for the session's thread."""

    def __init__(self, session: Callable[[], Session], window: Window) -> None:
        self._session = session
        self._window = window
        self._changed = threading.Condition()
        """Guards the window; told when there may be room."""
        self._loop = asyncio.get_running_loop()
        self._some_wait = asyncio.Event()
        self._worker_numbers = itertools.count(1)
        self._workers: set[asyncio.StreamWriter] = set()
        self._stopping = False

    def arrived(self, packet_id: int, topic: str, payload: bytes) -> None:
        """Take a message from the broker; blocks while too many are unsettled."""
        message = Held(packet_id, topic, payload, time.time_ns() // 1000)
        with self._changed:
            while self._window.full and not self._stopping:
                self._changed.wait()
            first = not self._window.waiting
            self._window.arrive(message)
        if first:
            self._wake()

    def session_ended(self) -> None:
        """The broker will hand over again what was not acknowledged."""
        with self._changed:
            self._window.end_session()
            self._changed.notify_all()

    def stop(self) -> None:
        """Let a blocked session's thread go."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    async def serve(self, path: Path, stop: asyncio.Event) -> None:
        """Listen for workers until told to stop."""
        server = await asyncio.start_unix_server(self._serve_worker, str(path))
        path.chmod(0o600)
        async with server:
            await stop.wait()
            self.stop()
            for worker in self._workers:
                worker.close()

    async def _serve_worker(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._stopping:
            writer.close()
            return
        worker = next(self._worker_numbers)
        self._workers.add(writer)
        giving: asyncio.Task[None] | None = None
        try:
            while True:
                what, *content = await read_frame(reader)
                if what == Said.WANT:
                    giving = asyncio.create_task(self._give(worker, writer, *content))
                elif what == Said.DONE:
                    self._settle(worker, content[0])
                else:
                    self._answer(content[0])
        except (EOFError, OSError, asyncio.CancelledError):
            log.info("worker-left", worker=worker)
        finally:
            if giving is not None:
                giving.cancel()
            writer.close()
            self._workers.discard(writer)
            with self._changed:
                self._window.give_back(worker)
            self._some_wait.set()

    async def _give(
        self, worker: int, writer: asyncio.StreamWriter, messages_max: int, age_ms: int
    ) -> None:
        """One batch, once there is one."""
        while not (batch := await self._fill(worker, messages_max, age_ms / 1000)):
            continue
        write_frame(
            writer,
            [[token, held.topic, held.payload, held.received_us] for token, held in batch],
        )
        try:
            await writer.drain()
        except OSError:
            return  # its socket ends, and then the batch is given back

    async def _fill(self, worker: int, messages_max: int, age_s: float) -> list[tuple[int, Held]]:
        """Wait for a first message and then a little for more; empty when others were quicker."""
        while not self._window.waiting:
            self._some_wait.clear()
            await self._some_wait.wait()
        until = self._loop.time() + age_s
        while self._window.waiting < messages_max and (left := until - self._loop.time()) > 0:
            await asyncio.sleep(min(left, _FILLING_S))
        with self._changed:
            return self._window.take(worker, messages_max, BATCH_BYTES_MAX)

    def _settle(self, worker: int, tokens: Sequence[int]) -> None:
        session = self._session()
        with self._changed:  # no session can end and another begin between the two
            for packet_id in self._window.settle(worker, tokens):
                if packet_id:
                    session.acknowledge(packet_id)
            self._changed.notify_all()

    def _answer(self, answers: Sequence[tuple[str, bytes]]) -> None:
        session = self._session()
        for topic, payload in answers:
            session.publish(topic, payload)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._some_wait.set)
        except RuntimeError:
            return  # the loop has ended, and with it the workers' sockets
