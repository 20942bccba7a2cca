"""A fleet that sends while it is measured: devices that publish when due and listen for receipts.

A device keeps what is due and sends it by the agent's own schedule (``edge_agent.delivery``):
within the window of what may be on its way, and again when a receipt does not come. One that keeps
nothing is hostile, and knows no window. The clock is the load's rhythm: what is sent late is late.
"""

import hashlib
import heapq
import random
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from edge_agent.delivery import WINDOW_LEAST, Delivery
from firmware_sim.fleet import FleetPlan, boot_of, sign_device
from haulproof.bench.load.crew import all_ready, run_together
from haulproof.bench.load.fleet import Fleet, Member, sending_processes
from haulproof.bench.load.heard import Heard, LiveLoad
from haulproof.bench.load.links import Link, Links
from haulproof.bench.load.schedule import Sender
from schemas.errors import StatementRefused
from schemas.wire import ack

_RESEND_MS = 30_000
"""The agent's, where receipts come at once."""
_LOOK_AGAIN_S = 0.5
_TURN_S = 0.05
_BEFORE_ALL_S = -1.0
_AT_ONCE = 32
"""Publishes of a device before the others have their turn."""


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
    loads = run_together(_send, [share for share in shares if share.senders])
    return LiveLoad(
        heard=[one for load in loads for one in load.heard],
        sent_again=sum(load.sent_again for load in loads),
        reconnected=sum(load.reconnected for load in loads),
        given_up=sum(load.given_up for load in loads),
    )


def _send(share: _Share) -> LiveLoad:
    links = Links()
    devices = [_Device(sender, member, share.plan, links) for sender, member in share.senders]
    links.connect(device.link for device in devices)
    begins = all_ready()
    _Round(links, devices, begins).run(share.patience_s)
    links.close()
    return LiveLoad(
        heard=[one for device in devices for one in device.heard()],
        sent_again=sum(device.sent_again for device in devices),
        reconnected=links.reconnected,
        given_up=sum(device.given_up for device in devices),
    )


class _Round:
    """Turns the devices of a process: whoever is due sends, whoever was heard may send on."""

    def __init__(self, links: Links, devices: "Sequence[_Device]", begins: float) -> None:
        self._links = links
        self._devices = devices
        self._by_link = {device.link: device for device in devices}
        self._begins = begins
        for device in devices:
            device.begins = begins
        self._due: list[tuple[float, int]] = []
        self._looked = begins

    def run(self, patience_s: float) -> None:
        last = max(device.sender.rhythm.until_s for device in self._devices)
        over = self._begins + last + patience_s
        for number in range(len(self._devices)):
            self._wait_for(number, _BEFORE_ALL_S)
        while (now := time.monotonic()) < over:
            self._send_due(now)
            heard = self._links.turn(self._until_next(time.monotonic()))
            now = time.monotonic()
            for link in heard:
                device = self._by_link[link]
                if device.waits(now - self._begins):
                    device.send(now - self._begins)
            if now - self._looked > _LOOK_AGAIN_S:
                self._looked = now
                if all(device.done for device in self._devices):
                    return
                self._look_again(now)

    def _look_again(self, now: float) -> None:
        for device in self._devices:
            device.send(now - self._begins)

    def _send_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            self._devices[number].send(now - self._begins)
            self._wait_for(number, now - self._begins)

    def _wait_for(self, number: int, after_s: float) -> None:
        """For the device's next time; what is due already waits for room, not for the clock."""
        due_s = self._devices[number].next_due_s(after_s)
        if due_s is not None:
            heapq.heappush(self._due, (self._begins + due_s, number))

    def _until_next(self, now: float) -> float:
        return min(_TURN_S, self._due[0][0] - now) if self._due else _TURN_S


@dataclass(slots=True)
class _Statement:
    """A signed segment on its way; times in s from the load's begin."""

    raw: bytes
    digest: bytes
    due_s: float
    sent_s: float | None = None
    receipt_s: float | None = None
    leaf_index: int | None = None


@dataclass(slots=True)
class _Device:
    sender: Sender
    member: Member
    plan: FleetPlan
    links: Links
    sent_again: int = 0
    given_up: int = 0
    begins: float = 0.0
    """When the load begins, monotonic s."""
    link: Link = field(init=False)
    _boot: bytes = b""
    _times: list[float] = field(default_factory=list)
    _statements: list[_Statement] = field(default_factory=list)
    _next: int = 0
    _awaited: dict[int, _Statement] = field(default_factory=dict)
    """Sent and without receipt, by sequence number."""
    _delivery: Delivery = field(init=False)

    def __post_init__(self) -> None:
        same_each_time = random.Random(self.member.number)  # noqa: S311 (waits, not secrets)
        self._delivery = Delivery(_RESEND_MS, same_each_time.random)
        self.link = Link(self.member, self._hear)
        self._times = self.sender.rhythm.times()
        plan = replace(self.plan, segments_each=len(self._times))
        self._boot = boot_of(self.member.device, plan)
        signed = sign_device(self.member.device, self.member.number, plan)
        self._statements = [
            _Statement(raw, hashlib.sha256(raw).digest(), due_s)
            for raw, due_s in zip(signed, self._times, strict=True)
        ]

    @property
    def done(self) -> bool:
        """Everything is sent, or given up, and has its receipt."""
        return self._next == len(self._statements) and not self._awaited

    def next_due_s(self, after_s: float) -> float | None:
        """When a segment is due next that is not due yet; None when there is none."""
        place = bisect_right(self._times, after_s, lo=self._next)
        return self._times[place] if place < len(self._times) else None

    def waits(self, now_s: float) -> bool:
        """Whether it has something that may have to be sent: a quick look, and never a wrong no."""
        unsent = self._next < len(self._times) and self._times[self._next] <= now_s
        return unsent or len(self._awaited) >= WINDOW_LEAST

    def send(self, now_s: float) -> None:
        """What may go by ``now_s`` (from the load's begin), as far as there is room."""
        places = self._by_schedule(now_s) if self.sender.keeps_backlog else self._flood(now_s)
        for place in places:
            one = self._statements[place]
            if one.sent_s is None:
                one.sent_s = now_s
            else:
                self.sent_again += 1
            self._awaited[place] = one
            self._delivery.sent(place, now_s * 1000)
            self.links.publish(self.link, one.raw)

    def _by_schedule(self, now_s: float) -> list[int]:
        """As an agent takes from its outbox, and from what is silent."""
        now_ms = now_s * 1000
        free = min(_AT_ONCE, self.sender.in_flight - self.link.in_flight)
        if free <= 0:
            return []
        self._delivery.add(self._fresh(now_s, self._delivery.room(now_ms)), now_ms)
        return self._delivery.due(now_ms, free)

    def _flood(self, now_s: float) -> list[int]:
        """As fast as the connection goes, each once; the rest is dropped at the rhythm's end."""
        if now_s >= self.sender.rhythm.until_s:
            self.given_up += len(self._statements) - self._next
            self._next = len(self._statements)
        return self._fresh(now_s, min(_AT_ONCE, self.sender.in_flight - self.link.in_flight))

    def _fresh(self, now_s: float, room: int) -> list[int]:
        """Take the next that are due and were never sent, ``room`` at most."""
        until = bisect_right(self._times, now_s, lo=self._next)
        taken = list(range(self._next, min(until, self._next + max(0, room))))
        self._next += len(taken)
        return taken

    def heard(self) -> list[Heard]:
        """What came of each segment."""
        return [
            Heard(
                self.sender.device,
                one.due_s,
                one.digest,
                one.sent_s,
                one.receipt_s,
                one.leaf_index,
            )
            for one in self._statements
        ]

    def _hear(self, message: bytes) -> None:
        now_s = time.monotonic() - self.begins
        with suppress(StatementRefused):
            # An earlier load's receipt may come late, and bears another boot.
            ours = [one for one in ack.decode(message).receipts if one.boot == self._boot]
            for receipt in ours:
                one = self._awaited.pop(receipt.seq, None)
                if one is not None:
                    one.receipt_s, one.leaf_index = now_s, receipt.index
            self._delivery.receipted([one.seq for one in ours], now_s * 1000)
