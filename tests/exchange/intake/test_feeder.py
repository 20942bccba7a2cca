"""The feeder between a session that pushes and workers that pull: bounds, and who blocks whom."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exchange.intake.feed import SOCKET, FeedQueue
from exchange.intake.feeder import Feeder
from exchange.intake.queue import BrokerError
from exchange.intake.receipts import Answer
from exchange.intake.window import Window
from tests.exchange.intake.queues import DEADLINE_S, until

pytestmark = pytest.mark.anyio
TOPIC = "hp/v1/acme/dev-1/seg"


class Recorded:
    """A session that remembers what it was told."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.published: list[tuple[str, bytes]] = []

    def acknowledge(self, packet_id: int) -> None:
        self.acknowledged.append(packet_id)

    def publish(self, topic: str, payload: bytes) -> None:
        self.published.append((topic, payload))


class Pushing:
    """The session's thread: hands over messages one after the other."""

    def __init__(self, feeder: Feeder, count: int) -> None:
        self.handed_over = 0
        self._feeder = feeder
        self._count = count
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in range(1, self._count + 1):
            self._feeder.arrived(number, TOPIC, b"%d" % number)
            self.handed_over = number

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()


@asynccontextmanager
async def feeding(folder: Path, window: Window) -> AsyncIterator[tuple[Feeder, Recorded, Path]]:
    session, stop = Recorded(), asyncio.Event()
    feeder = Feeder(lambda: session, window)
    path = folder / SOCKET
    serving = asyncio.create_task(feeder.serve(path, stop))
    await until(path.exists)
    try:
        yield feeder, session, path
    finally:
        feeder.stop()
        stop.set()
        await asyncio.wait_for(serving, DEADLINE_S)


async def test_a_full_window_holds_the_session_until_something_is_settled(tmp_path: Path) -> None:
    async with feeding(tmp_path, Window(messages_max=5)) as (feeder, session, path):
        pushing = Pushing(feeder, 12)
        await until(lambda: pushing.handed_over == 5)
        queue = FeedQueue(path)
        await queue.open()
        taken = 0
        while taken < 12:
            batch = await queue.next_batch(5, 0.001)
            assert len(batch) <= 5
            assert pushing.handed_over <= taken + 5
            taken += len(batch)
            await queue.acknowledge(batch)
        await until(lambda: pushing.is_done and len(session.acknowledged) == 12)
        await queue.disconnect()

    assert sorted(session.acknowledged) == list(range(1, 13))


async def test_a_session_that_ended_frees_the_thread_that_waited_and_acknowledges_nothing(
    tmp_path: Path,
) -> None:
    async with feeding(tmp_path, Window(messages_max=2)) as (feeder, session, path):
        pushing = Pushing(feeder, 3)
        queue = FeedQueue(path)
        await queue.open()
        await until(lambda: pushing.handed_over == 2)
        batch = await queue.next_batch(2, 0.001)
        feeder.session_ended()
        await until(lambda: pushing.is_done)
        await queue.acknowledge(batch)
        after = await queue.next_batch(2, 0.001)
        await queue.acknowledge(after)
        await until(lambda: session.acknowledged)
        await queue.disconnect()

    assert session.acknowledged == [3]


async def test_a_feeder_that_ended_is_an_error_for_its_workers_and_holds_no_thread(
    tmp_path: Path,
) -> None:
    async with feeding(tmp_path, Window(messages_max=1)) as (feeder, session, path):
        pushing = Pushing(feeder, 3)
        queue = FeedQueue(path)
        await queue.open()
        await queue.answer([Answer("hp/v1/acme/dev-1/ack", b"receipt")])
        await until(lambda: session.published)
    await until(lambda: pushing.is_done)

    with pytest.raises((BrokerError, OSError)):
        await queue.next_batch(1, 0.001)
    await queue.disconnect()


async def test_noise_on_the_socket_ends_that_connection_alone(tmp_path: Path) -> None:
    async with feeding(tmp_path, Window()) as (feeder, session, path):
        queue = FeedQueue(path)
        await queue.open()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"\xff\xff\xff\xff noise")
        assert await reader.read() == b""
        writer.close()
        feeder.arrived(1, TOPIC, b"one")
        batch = await queue.next_batch(1, 0.001)
        await queue.acknowledge(batch)
        await until(lambda: session.acknowledged == [1])
        await queue.disconnect()
