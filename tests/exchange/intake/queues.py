"""Brokers as a queue's tests see them: devices on one side, workers' queues on the other."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import nats as nats_client
from nats.aio.client import Client
from nats.aio.msg import Msg

from exchange.directory import Directory
from exchange.embedded.nats import EmbeddedNats
from exchange.intake.feed import FeedQueue, socket_path
from exchange.intake.feed_process import feed
from exchange.intake.jetstream import JetStreamQueue, connect_nats
from exchange.intake.queue import SegmentQueue
from tests.exchange.conftest import Broker
from tests.exchange.intake.running import STREAM_BYTES_MAX
from tests.exchange.mosquitto import Mosquitto, MqttDevice

DEADLINE_S = 30
DEVICE = "acme/dev-1"
SEG = f"hp/v1/{DEVICE}/seg"


class Rig(Protocol):
    """One broker, one device, as many workers as a test wants."""

    @property
    def heard(self) -> list[tuple[str, bytes]]:
        """What the device was sent."""

    async def publish(self, *payloads: bytes) -> None:
        """As the device, on its own topic."""

    async def worker(self) -> SegmentQueue:
        """An opened queue; disconnected at the end if the test has not done it."""

    async def restart(self) -> None:
        """Stop the broker and start it again with what it kept."""


class NatsRig:
    """JetStream, which every worker pulls from by itself."""

    def __init__(self, server: EmbeddedNats, broker: Broker, client: Client) -> None:
        self._server = server
        self._broker = broker
        self._client = client
        self._heard: list[tuple[str, bytes]] = []
        self.workers: list[SegmentQueue] = []

    @property
    def heard(self) -> list[tuple[str, bytes]]:
        return self._heard

    async def hear(self, message: Msg) -> None:
        self._heard.append((message.subject.replace(".", "/"), message.data))

    async def publish(self, *payloads: bytes) -> None:
        for payload in payloads:
            await self._client.publish(SEG.replace("/", "."), payload)
        await self._client.flush()

    async def worker(self) -> SegmentQueue:
        broker = self._broker
        client = await connect_nats(broker.url, broker.user, broker.password)
        made = JetStreamQueue(client, STREAM_BYTES_MAX)
        self.workers.append(made)
        await made.open()
        return made

    async def restart(self) -> None:
        before = self._client.stats["reconnects"]
        self._server.stop()
        self._server.start()
        await until(lambda: self._client.stats["reconnects"] > before and self._client.is_connected)


class MosquittoRig:
    """Mosquitto and the feeder, in this process as far as it is ours."""

    def __init__(self, server: Mosquitto, directory: Directory) -> None:
        self._server = server
        self._path = socket_path(directory)
        self._password = server.let_in(DEVICE)
        self._device = MqttDevice(server, DEVICE, self._password)
        self.workers: list[SegmentQueue] = []

    @property
    def heard(self) -> list[tuple[str, bytes]]:
        return self._device.heard

    async def publish(self, *payloads: bytes) -> None:
        for payload in payloads:
            await asyncio.to_thread(self._device.publish, payload, SEG)

    async def worker(self) -> SegmentQueue:
        made = FeedQueue(self._path)
        self.workers.append(made)
        await made.open()
        return made

    async def restart(self) -> None:
        self._device.close()
        await asyncio.to_thread(self._server.stop)
        await asyncio.to_thread(self._server.start)
        self._device = await asyncio.to_thread(MqttDevice, self._server, DEVICE, self._password)

    def close(self) -> None:
        self._device.close()


@asynccontextmanager
async def nats_rig(server: EmbeddedNats, broker: Broker) -> AsyncIterator[Rig]:
    client = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    rig = NatsRig(server, broker, client)
    for kind in ("ack", "ref"):
        await client.subscribe(f"hp.v1.acme.dev-1.{kind}", cb=rig.hear)
    try:
        yield rig
    finally:
        await _disconnect(rig.workers)
        await client.close()


@asynccontextmanager
async def mosquitto_rig(server: Mosquitto, directory: Directory) -> AsyncIterator[Rig]:
    rig = MosquittoRig(server, directory)
    stop = asyncio.Event()
    subscribed = threading.Event()
    feeding = asyncio.create_task(feed(server.settings, stop, subscribed.set))
    await until(subscribed.is_set)
    try:
        yield rig
    finally:
        await _disconnect(rig.workers)
        stop.set()
        await asyncio.wait_for(feeding, DEADLINE_S)
        rig.close()


async def until(holds: Callable[[], object]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def _disconnect(workers: list[SegmentQueue]) -> None:
    ends: list[Awaitable[None]] = [worker.disconnect() for worker in workers]
    await asyncio.gather(*ends)
