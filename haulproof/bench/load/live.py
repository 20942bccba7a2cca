"""A fleet that sends while it is measured: devices that publish when due and listen for receipts.

As an agent does, a device keeps what is due until the broker has room for it, sends again what has
no receipt after a while, and connects again when its link was lost. Its clock is the schedule: what
it sends late is late.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import aiomqtt

from firmware_sim.fleet import FleetPlan, boot_of, sign_device
from haulproof.bench.load.admission import CARRIER
from haulproof.bench.load.crew import all_ready, run_together
from haulproof.bench.load.fleet import Fleet, Member, sending_processes
from haulproof.bench.load.heard import Heard, LiveLoad
from haulproof.bench.load.schedule import Sender
from haulproof.bench.load.session import CONNECTING_AT_ONCE, PATIENCE_S, LinkLost, session
from schemas.errors import StatementRefused
from schemas.wire import ack
from schemas.wire.topics import ack_topic, segment_topic

_SEND_AGAIN_AFTER_S = 30.0
_LOOK_AGAIN_S = 0.5
_CONNECT_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class _Share:
    senders: list[tuple[Sender, Member]]
    plan: FleetPlan
    patience_s: float


def send_live(fleet: Fleet, senders: Sequence[Sender], patience_s: float) -> LiveLoad:
    """Sign everything, connect, send by each rhythm; wait ``patience_s`` for the last receipts."""
    plan, processes = fleet.next_plan(0), sending_processes()
    known = [(one, fleet.members[one.device]) for one in senders]
    shares = [_Share(known[n::processes], plan, patience_s) for n in range(processes)]
    loads = run_together(_send_share, [share for share in shares if share.senders])
    return LiveLoad(
        heard=[one for load in loads for one in load.heard],
        sent_again=sum(load.sent_again for load in loads),
        reconnected=sum(load.reconnected for load in loads),
        given_up=sum(load.given_up for load in loads),
    )


def _send_share(share: _Share) -> LiveLoad:
    return asyncio.run(_send_all(share))


async def _send_all(share: _Share) -> LiveLoad:
    slots = asyncio.Semaphore(CONNECTING_AT_ONCE)
    devices = [_Device(sender, member, share.plan, slots) for sender, member in share.senders]
    running = [asyncio.create_task(device.run()) for device in devices]
    connected = asyncio.gather(*(device.listens.wait() for device in devices))
    await asyncio.wait_for(connected, PATIENCE_S + len(devices))
    begins = await asyncio.to_thread(all_ready)
    for device in devices:
        device.begins.set_result(begins)
    last = max(device.sender.rhythm.until_s for device in devices)
    await asyncio.wait(running, timeout=begins + last + share.patience_s - time.monotonic())
    for task in running:
        task.cancel()
    for ended in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    return LiveLoad(
        heard=[one for device in devices for one in device.heard()],
        sent_again=sum(device.sent_again for device in devices),
        reconnected=sum(device.reconnected for device in devices),
        given_up=sum(device.given_up for device in devices),
    )


@dataclass(slots=True)
class _Statement:
    """A signed segment on its way. Times in s of the monotonic clock."""

    raw: bytes
    digest: bytes
    due: float
    """From the load's begin."""
    first_sent: float | None = None
    last_sent: float = 0.0
    taken: bool = False
    """The broker has acknowledged it."""
    receipt: float | None = None
    index: int | None = None


@dataclass(slots=True)
class _Device:
    sender: Sender
    member: Member
    plan: FleetPlan
    connecting: asyncio.Semaphore
    listens: asyncio.Event = field(default_factory=asyncio.Event)
    begins: "asyncio.Future[float]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    sent_again: int = 0
    reconnected: int = 0
    given_up: int = 0
    _boot: bytes = b""
    _statements: list[_Statement] = field(default_factory=list)
    _next: int = 0
    _awaited: dict[int, _Statement] = field(default_factory=dict)
    """Sent and without receipt, by sequence number."""

    def __post_init__(self) -> None:
        times = self.sender.rhythm.times()
        plan = replace(self.plan, segments_each=len(times))
        self._boot = boot_of(self.member.device, plan)
        signed = sign_device(self.member.device, self.member.number, plan)
        self._statements = [
            _Statement(raw, hashlib.sha256(raw).digest(), due)
            for raw, due in zip(signed, times, strict=True)
        ]

    def heard(self) -> list[Heard]:
        """What came of each segment."""
        begins = self.begins.result()
        return [
            Heard(
                self.sender.device,
                one.due,
                one.digest,
                None if one.first_sent is None else one.first_sent - begins,
                None if one.receipt is None else one.receipt - begins,
                one.index,
            )
            for one in self._statements
        ]

    async def run(self) -> None:
        """Until everything that is sent has its receipt."""
        while not self._done():
            try:
                await self._session()
            except (LinkLost, ExceptionGroup) as error:
                if isinstance(error, ExceptionGroup) and error.split(LinkLost)[1] is not None:
                    raise
                self.reconnected += 1
                await asyncio.sleep(_CONNECT_AGAIN_S)

    async def _session(self) -> None:
        client = session(self.member.enrolled, self.sender.in_flight)
        await self.connecting.acquire()
        try:
            await client.__aenter__()
        finally:
            self.connecting.release()
        try:
            await client.subscribe(ack_topic(CARRIER, self.member.device.device), qos=1)
            self.listens.set()
            for one in self._awaited.values():
                one.last_sent = one.last_sent if one.taken else 0.0
            await self._converse(client)
        finally:
            with suppress(LinkLost):
                await client.__aexit__(None, None, None)

    async def _converse(self, client: aiomqtt.Client) -> None:
        slots = asyncio.Semaphore(self.sender.in_flight)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(client))
            await self._send_when_due(client, slots, group)
            while not self._done():
                await self._send_again(client, slots, group)
                await asyncio.sleep(_LOOK_AGAIN_S)
            listening.cancel()

    async def _send_when_due(
        self, client: aiomqtt.Client, slots: asyncio.Semaphore, group: asyncio.TaskGroup
    ) -> None:
        begins = await asyncio.shield(self.begins)
        looked = time.monotonic()
        while self._next < len(self._statements):
            one = self._statements[self._next]
            await asyncio.sleep(max(0.0, begins + one.due - time.monotonic()))
            await slots.acquire()
            if self._gives_up(begins):
                slots.release()
                return
            one.first_sent = one.last_sent = time.monotonic()
            self._awaited[self._next] = one
            self._next += 1
            group.create_task(self._publish(client, one, slots))
            if one.first_sent - looked > _LOOK_AGAIN_S:
                looked = one.first_sent
                await self._send_again(client, slots, group)

    def _gives_up(self, begins: float) -> bool:
        if self.sender.keeps_backlog or time.monotonic() < begins + self.sender.rhythm.until_s:
            return False
        self.given_up += len(self._statements) - self._next
        self._next = len(self._statements)
        return True

    async def _send_again(
        self, client: aiomqtt.Client, slots: asyncio.Semaphore, group: asyncio.TaskGroup
    ) -> None:
        """What has waited too long for its receipt, or was cut off with an earlier session."""
        now = time.monotonic()
        for one in list(self._awaited.values()):
            if now - one.last_sent > _SEND_AGAIN_AFTER_S and one.receipt is None:
                await slots.acquire()
                one.last_sent = time.monotonic()
                self.sent_again += 1
                group.create_task(self._publish(client, one, slots))

    async def _publish(
        self, client: aiomqtt.Client, one: _Statement, slots: asyncio.Semaphore
    ) -> None:
        topic = segment_topic(CARRIER, self.member.device.device)
        try:
            await client.publish(topic, one.raw, qos=1)
            one.taken = True
        finally:
            slots.release()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            now = time.monotonic()
            if not isinstance(message.payload, bytes | bytearray):
                continue
            with suppress(StatementRefused):
                self._take(ack.decode(bytes(message.payload)), now)

    def _take(self, acknowledged: ack.Ack, now: float) -> None:
        for receipt in acknowledged.receipts:
            # An earlier load's receipt may come late, and bears another boot.
            ours = receipt.boot == self._boot
            one = self._awaited.pop(receipt.seq, None) if ours else None
            if one is not None:
                one.receipt, one.index = now, receipt.index

    def _done(self) -> bool:
        return self._next == len(self._statements) and not self._awaited
