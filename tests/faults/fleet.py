"""Trucks without an agent: they sign, send, keep what has no receipt, and send it again.

What they were told is written down for the checker: which statement, at which leaf, under which
checkpoint. They publish on the exchange's own account, since only what arrives matters here.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import cbor2
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as BrokerError

from tests.exchange.intake.trucks import Truck
from tests.faults.published_log import Notes

T = TypeVar("T")

_AGAIN_S = 0.25
_DEADLINE_S = 90.0


class Fleet:
    """Trucks whose broker connection is in one thread, with a loop of its own."""

    def __init__(self, login: tuple[str, str, str], origin: str, notes: Notes, size: int = 4):
        self.trucks = [Truck(f"dev-{n}", origin=origin, vehicle=f"v-{n}") for n in range(size)]
        self.received: dict[bytes, int] = {}
        """Leaf by digest, of what has a receipt."""
        self.refused: set[bytes] = set()
        """Digests of what was refused."""
        self.wrong: list[str] = []
        self._notes = notes
        self._raw: dict[bytes, tuple[Truck, bytes]] = {}
        self._kept: dict[bytes, tuple[Truck, bytes]] = {}
        self._named: dict[tuple[str, bytes, int], bytes] = {}
        self._login = login
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._call(self._connect())
        self._again = asyncio.run_coroutine_threadsafe(self._send_again(), self._loop)

    def send(self, each: int = 3) -> set[bytes]:
        """Every truck signs and sends some segments and a gap, one twice, and one sends noise."""
        new: list[tuple[Truck, bytes]] = []
        for truck in self.trucks:
            new += [(truck, truck.segment()) for _ in range(each)]
        new.append((self.trucks[0], self.trucks[0].gap()))
        digests = {self._remember(truck, raw) for truck, raw in new}
        noise = self.trucks[0].rng.randbytes(40)
        self._call(self._publish([*new, new[0], (self.trucks[0], noise)]))
        return digests

    def ask_again(self) -> None:
        """Send everything once more, as if nothing of it had a receipt yet."""
        self._raw.update(self._kept)

    def waiting(self) -> int:
        """How many statements have no receipt yet."""
        return len(self._raw)

    def until_receipted(self) -> None:
        """Wait until nothing waits."""
        until = time.monotonic() + _DEADLINE_S
        while self._raw:
            if time.monotonic() > until:
                raise AssertionError(f"{len(self._raw)} statements never got a receipt")
            time.sleep(0.005)
        if self.wrong:
            raise AssertionError("; ".join(self.wrong))

    def close(self) -> None:
        self._again.cancel()
        self._call(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _remember(self, truck: Truck, raw: bytes) -> bytes:
        digest = hashlib.sha256(raw).digest()
        payload = cbor2.loads(cbor2.loads(raw).value[2])
        self._named[truck.device, payload[2], payload[3]] = digest
        self._raw[digest] = self._kept[digest] = truck, raw
        return digest

    async def _connect(self) -> Client:
        url, user, password = self._login
        client = await nats.connect(
            url,
            user=user,
            password=password,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignore,
        )
        await client.subscribe("hp.v1.*.*.ack", cb=self._acknowledged)
        await client.subscribe("hp.v1.*.*.ref", cb=self._refused)
        await client.flush()
        return client

    async def _publish(self, sent: list[tuple[Truck, bytes]]) -> None:
        for truck, raw in sent:
            await self._client.publish(f"hp.v1.{truck.carrier}.{truck.device}.seg", raw)

    async def _send_again(self) -> None:
        while True:
            before = set(self._raw)
            await asyncio.sleep(_AGAIN_S)
            late = [self._raw[one] for one in before if one in self._raw]
            try:
                await self._publish(late)
            except (BrokerError, OSError):  # it is away; the next time, then
                continue

    async def _acknowledged(self, message: Msg) -> None:
        device = message.subject.split(".")[3]
        told = cbor2.loads(message.data)
        try:
            self._notes.see(told[2])
            for boot, seq, index in told[3]:
                digest = self._named.get((device, boot, seq))
                if digest is not None and self.received.setdefault(digest, index) != index:
                    self.wrong.append(f"{device} {seq} was receipted at two leaves")
                if digest is not None:
                    self._raw.pop(digest, None)
        except Exception as error:
            self.wrong.append(repr(error))

    async def _refused(self, message: Msg) -> None:
        _, _, digest, _, _ = cbor2.loads(cbor2.loads(message.data).value[2])
        self.refused.add(digest)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _ignore(error: Exception) -> None:
    """The broker is away; nats-py comes back by itself."""
