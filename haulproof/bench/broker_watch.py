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
from nats.js import JetStreamContext

from exchange.directory import Directory
from schemas.wire import ack

STREAM = "HP_SEG"
_PAUSE = timedelta(hours=2)


@dataclass(slots=True)
class Receipts:
    """Receipts seen so far, and when: (monotonic s, receipts in all) a message."""

    total: int = 0
    messages: int = 0
    curve: list[tuple[float, int]] = field(default_factory=list)

    async def count(self, message: Msg) -> None:
        """Take one acknowledgement."""
        self.total += len(ack.decode(message.data).receipts)
        self.messages += 1
        self.curve.append((time.monotonic(), self.total))


class BrokerWatch:
    """The exchange's own account at its broker."""

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
        """Deliver again."""
        for name in await self._consumers():
            await self._stream.resume_consumer(STREAM, name)

    async def held(self) -> int:
        """Messages that the stream holds."""
        return (await self._stream.stream_info(STREAM)).state.messages

    async def until(self, receipts: int, patience_s: float, tell: Callable[[int], None]) -> None:
        """Wait for that many receipts in all; ``TimeoutError`` when none comes for that long."""
        seen, since = self.receipts.total, time.monotonic()
        while self.receipts.total < receipts:
            await asyncio.sleep(0.2)
            tell(self.receipts.total)
            if self.receipts.total > seen:
                seen, since = self.receipts.total, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise TimeoutError(f"no receipt for {patience_s:.0f} s after {seen}")

    async def _consumers(self) -> list[str]:
        return [info.name for info in await self._stream.consumers_info(STREAM)]


@asynccontextmanager
async def broker_watch(directory: Directory, port: int) -> AsyncIterator[BrokerWatch]:
    """Connect to the embedded broker of an exchange's directory and listen for receipts."""
    held = json.loads(directory.nats_secrets.read_bytes())
    client = await nats.connect(
        f"nats://127.0.0.1:{port}",
        user=held["exchange_user"],
        password=held["exchange_password"],
        pending_size=64 * 1024 * 1024,
    )
    try:
        watch = BrokerWatch(client)
        await client.subscribe("hp.v1.*.*.ack", cb=watch.receipts.count)
        yield watch
    finally:
        await client.close()
