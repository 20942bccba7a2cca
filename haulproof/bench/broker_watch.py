"""The bench at the broker: holds intake's consumer back while it loads, then counts receipts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as BrokerError
from nats.js import JetStreamContext

from exchange.directory import Directory
from exchange.intake.jetstream import STREAM
from schemas.wire import ack

_PAUSE = timedelta(hours=2)
_LOOK_AGAIN_S = 0.2
_LOOK_FOR_FIRST_S = 0.01


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """The exchange's own account at its broker."""

    url: str
    user: str
    password: str = field(repr=False)

    async def connect(self) -> Client:
        """A connection that holds what comes in bursts."""
        return await nats.connect(
            self.url,
            user=self.user,
            password=self.password,
            pending_size=64 * 1024 * 1024,
        )


def broker_account(directory: Directory) -> BrokerAccount:
    """The account of the embedded broker of an exchange's directory."""
    held = json.loads(directory.nats_secrets.read_bytes())
    port = int(json.loads(directory.ports.read_text())["nats"])
    return BrokerAccount(
        f"nats://127.0.0.1:{port}", held["exchange_user"], held["exchange_password"]
    )


@dataclass(slots=True)
class Receipts:
    """Receipts seen so far, and the messages that brought them."""

    total: int = 0
    messages: int = 0

    async def count(self, message: Msg) -> None:
        """Take one acknowledgement."""
        self.total += len(ack.decode(message.data).receipts)
        self.messages += 1


@dataclass(slots=True)
class StreamPeak:
    """The most that the stream of what devices publish held at any look."""

    messages: int = 0
    bytes: int = 0


class BrokerWatch:
    """Looks at the stream, and hears the receipts that devices would hear."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stream: JetStreamContext = client.jetstream()
        self.receipts = Receipts()

    async def hold_intake(self) -> None:
        """Deliver nothing to intake until it is let go."""
        until = (datetime.now(UTC) + _PAUSE).strftime("%Y-%m-%dT%H:%M:%SZ")
        for name in await self._consumers():
            await self._stream.pause_consumer(STREAM, name, until)

    async def release_intake(self) -> None:
        """Deliver again; returns when the first message was handed over.

        A request that intake made while it was held back may have to expire first, which takes
        seconds and happens on no exchange but this one.
        """
        for name in await self._consumers():
            await self._stream.resume_consumer(STREAM, name)
        while not any(one.num_ack_pending for one in await self._stream.consumers_info(STREAM)):
            await asyncio.sleep(_LOOK_FOR_FIRST_S)

    async def held(self) -> int:
        """Messages that the stream holds."""
        return (await self._stream.stream_info(STREAM)).state.messages

    async def until(self, receipts: int, patience_s: float, tell: Callable[[int], None]) -> None:
        """Wait for that many receipts in all; ``TimeoutError`` when none comes for that long."""
        seen, since = self.receipts.total, time.monotonic()
        while self.receipts.total < receipts:
            await asyncio.sleep(_LOOK_AGAIN_S)
            tell(self.receipts.total)
            if self.receipts.total > seen:
                seen, since = self.receipts.total, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise TimeoutError(f"no receipt for {patience_s:.0f} s after {seen}")

    async def watch_stream(self, peak: StreamPeak) -> None:
        """Note the stream's size again and again, until cancelled."""
        while True:
            try:
                state = (await self._stream.stream_info(STREAM)).state
            except (BrokerError, TimeoutError):  # too busy to say, which is no measurement
                continue
            peak.messages = max(peak.messages, state.messages)
            peak.bytes = max(peak.bytes, state.bytes)
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _consumers(self) -> list[str]:
        return [info.name for info in await self._stream.consumers_info(STREAM)]


@asynccontextmanager
async def broker_watch(account: BrokerAccount) -> AsyncIterator[BrokerWatch]:
    """Connect, and listen for receipts."""
    client = await account.connect()
    try:
        watch = BrokerWatch(client)
        await client.subscribe("hp.v1.*.*.ack", cb=watch.receipts.count)
        yield watch
    finally:
        await client.close()
