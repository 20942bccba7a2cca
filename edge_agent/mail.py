"""Between outbox and uplink: what is due goes out, what comes back settles it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.clock import Clock
from edge_agent.delivery import Delivery
from edge_agent.enrolment import Enrolment
from edge_agent.outbox import KEEP, Outbox
from edge_agent.receipts import ReceiptRefused, read_acknowledgement, verified_leaves
from edge_agent.recorder import Storage
from edge_agent.refusals import verified_refusal
from schemas.errors import Reason, StatementRefused

_log = logging.getLogger(__name__)
_IDLE_S = 60.0
_FORGET_EVERY_MS = 600_000


@dataclass(slots=True)
class MailCounts:
    """What has come back since the start."""

    published: int = 0
    receipted: int = 0
    refused: int = 0
    postponed: int = 0
    slowed: int = 0
    """Refusals over quota: nothing is wrong with the statement, it is sent again later."""
    unverified: int = 0
    """Acknowledgements and refusals that proved nothing; they change nothing."""


@dataclass(slots=True)
class OutboxMail:
    """The uplink's ``Mail`` over the outbox. ``woken`` is set when there is more to send."""

    storage: Storage
    delivery: Delivery
    enrolment: Enrolment
    clock: Clock
    woken: asyncio.Event
    counts: MailCounts = field(default_factory=MailCounts)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever something left the backlog."""
    last_receipt_ms: float | None = None
    """Monotonic time of the newest receipt of this start."""
    _forgotten_ms: float | None = None

    async def next_batch(self, limit: int) -> list[tuple[int, bytes]]:
        """Wait until statements are due, and give up to ``limit`` of them with their ids."""
        while True:
            self.woken.clear()
            now_ms = self.clock.mono_ms()
            room = self.delivery.room(now_ms)
            if room:
                ids = await self.storage.do(Outbox.unsent, self.delivery.newest, room)
                self.delivery.add(ids, now_ms)
            batch = await self._with_bytes(self.delivery.due(now_ms, limit))
            if batch:
                return batch
            await self._wait(now_ms)

    def connected(self) -> None:
        """A new session has begun."""
        self.delivery.reconnected(self.clock.mono_ms())

    def sent(self, statement_id: int) -> None:
        """The broker has taken this one."""
        self.counts.published += 1
        self.delivery.sent(statement_id, self.clock.mono_ms())

    async def acknowledged(self, message: bytes) -> None:
        """Verify an acknowledgement and settle what it proves."""
        try:
            ack = read_acknowledgement(message)
            names = [(receipt.boot, receipt.seq) for receipt in ack.receipts]
            held = await self.storage.do(Outbox.held, names)
            leaves = verified_leaves(ack, held, self.enrolment.log_key)
        except ReceiptRefused as error:
            self.counts.unverified += 1
            _log.warning("an acknowledgement proves nothing", extra={"error": str(error)})
            return
        await self.storage.do(Outbox.receipted, leaves, round(self.clock.utc_ms()))
        waited = sum(one.state == "sealed" for one in held.values())
        self.last_receipt_ms = self.clock.mono_ms()
        self.delivery.receipted(leaves, self.last_receipt_ms)
        self.counts.receipted += waited
        self._settle()
        await self._forget()

    async def refused(self, message: bytes) -> None:
        """Verify a refusal; move the statement aside, put it off, or send more slowly."""
        request = self.enrolment.request
        try:
            refusal = verified_refusal(
                message, self.enrolment.exchange_keys, request.origin, request.issuer
            )
        except StatementRefused as error:
            self.counts.unverified += 1
            _log.warning("a refusal proves nothing", extra={"error": str(error)})
            return
        held = await self.storage.do(Outbox.find, refusal.digest)
        if held is None or held.state != "sealed":
            return
        if refusal.cause == Reason.OVER_QUOTA and not refusal.permanent:
            self.delivery.over_quota(held.id, self.clock.mono_ms())
            self.counts.slowed += 1
            _log.info("the exchange takes no more of this device for now")
            return
        detail = {"cause": refusal.cause, "permanent": refusal.permanent}
        _log.warning("the exchange refuses a statement", extra=detail)
        if refusal.permanent:
            now_ms = round(self.clock.utc_ms())
            await self.storage.do(Outbox.refused, held.id, refusal.cause, now_ms)
            self.delivery.settled([held.id])
            self.counts.refused += 1
        else:
            self.delivery.postponed(held.id, self.clock.mono_ms())
            self.counts.postponed += 1
        self._settle()

    async def _with_bytes(self, ids: Sequence[int]) -> list[tuple[int, bytes]]:
        batch = []
        for statement_id in ids:
            raw = await self.storage.do(Outbox.raw, statement_id)
            if raw is None:
                self.delivery.settled([statement_id])
            else:
                batch.append((statement_id, raw))
        return batch

    async def _wait(self, now_ms: float) -> None:
        due_ms = self.delivery.next_due_ms(now_ms)
        wait_s = _IDLE_S if due_ms is None else min(_IDLE_S, max(0.0, (due_ms - now_ms) / 1_000))
        try:
            async with asyncio.timeout(wait_s):
                await self.woken.wait()
        except TimeoutError:
            return

    def _settle(self) -> None:
        self.settled.set()
        self.woken.set()

    async def _forget(self) -> None:
        now_ms = self.clock.mono_ms()
        if self._forgotten_ms is None or now_ms - self._forgotten_ms > _FORGET_EVERY_MS:
            self._forgotten_ms = now_ms
            await self.storage.do(Outbox.forget, round(self.clock.utc_ms()), KEEP)
