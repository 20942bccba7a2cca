"""One intake worker: batches from the broker, one transaction each, then answers.

    fetch ─► quota ─► take (thread: verify, commit) ─► acknowledge ─► refusals
               │                                              └─► wait for a checkpoint ─► receipts
               └─► over it: let go, its device has it still

Nothing is acknowledged to the broker before its transaction is durable, so a crash at any point
leaves a message either in the stream or in the log, and what is in both is a duplicate. The one
exception is what is over quota: it has no receipt, and the agent's outbox is what holds it.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import stamina
import structlog
from psycopg import Connection

from exchange.intake.batch_size import BatchSize
from exchange.intake.counts import Counts
from exchange.intake.desk import CheckpointDesk
from exchange.intake.model import BatchResult, Message
from exchange.intake.queue import BrokerError, SegmentQueue
from exchange.intake.quota import NO_QUOTA, Quota, Rates, RefusalPace
from exchange.intake.receipts import Waiting, refusal_answers
from exchange.intake.verification import refused
from exchange.intake.worker import RETRIED, Worker
from exchange.readiness import tell_ready
from exchange.transparency.model import LogDamaged
from schemas.cose.keys import Signer
from schemas.errors import Reason

_WAITING_SEND = 50_000
"""So many waiting receipts are sent before the acknowledgement interval is over."""
_WAITING_MAX = 200_000
"""So many, and nothing more is fetched until the signer is back."""
_LOOK_AGAIN_S = 0.25
_AGAIN_AFTER_S = 0.5
_REPORT_EACH_S = 10.0
_LAST_ANSWERS = 4

log = structlog.get_logger("intake")


@dataclass(frozen=True, slots=True)
class Limits:
    """How batches are cut and answered."""

    messages_max: int = 2_000
    age_s: float = 0.05
    ack_interval_s: float = 0
    rates: Rates = NO_QUOTA


class Intake:
    """One worker: owns its queue, its connections and the receipts that its batches wait for."""

    def __init__(
        self,
        queue: SegmentQueue,
        connect: Callable[[], Connection[Any]],
        *,
        origin: str,
        organisation: str,
        signer: Signer,
        limits: Limits,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = queue
        self._worker = Worker(connect, origin, clock)
        self._desk = CheckpointDesk(connect)
        self._origin = origin
        self._organisation = organisation
        self._signer = signer
        self._limits = limits
        self._size = BatchSize(limits.messages_max, limits.age_s)
        self._quota = Quota(limits.rates)
        self._pace = RefusalPace()
        self._waiting = Waiting()
        self._arrived = asyncio.Event()
        self._batches: asyncio.Queue[list[Message]] = asyncio.Queue(maxsize=1)
        self._taking = ThreadPoolExecutor(1, "take")
        self._answering = ThreadPoolExecutor(1, "answer")
        self.counts = Counts()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish the batch in hand and send what receipts can be."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._fetch, self._take, self._answer, self._report):
                    group.create_task(part(stop))
            for _ in range(_LAST_ANSWERS):
                if len(self._waiting):
                    await self._answer_covered()
        finally:
            self._close()

    async def _fetch(self, stop: asyncio.Event) -> None:
        is_open = False
        while not stop.is_set():
            try:
                if not is_open:
                    await self._queue.open()
                    is_open = True
                    tell_ready()
                wanted = self._size.messages
                batch = await self._queue.next_batch(wanted, self._size.age_s)
                batch = await self._within_quota(batch, wanted)
            except (BrokerError, OSError) as error:
                log.warning("broker-away", error=repr(error))
                is_open = False
                await _sleep(stop, _AGAIN_AFTER_S)
                continue
            if batch:
                await self._batches.put(batch)
            while len(self._waiting) > _WAITING_MAX and not stop.is_set():
                await _sleep(stop, _AGAIN_AFTER_S)
        await self._batches.put([])
        await self._queue.close()

    async def _within_quota(self, batch: list[Message], wanted: int) -> list[Message]:
        """What is to be judged; the rest the broker may forget, uncommitted and without receipt."""
        now_s = time.monotonic()
        parted = self._quota.sort(batch, wanted, now_s)
        if parted.over:
            await self._queue.acknowledge(parted.over)
            self.counts.let_go(parted.over)
            detail = "others wait, and the device or its carrier sends more than its share"
            told = [
                refused(message, Reason.OVER_QUOTA, detail)
                for message in self._pace.answered(parted.over, now_s)
            ]
            await self._queue.answer(
                refusal_answers(told, self._signer, self._organisation, self._origin)
            )
        return parted.within

    async def _take(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while batch := await self._batches.get():
            began = loop.time()
            result = await self._commit(batch, stop)
            if result is None:
                continue
            self._size.took(len(batch), loop.time() - began)
            await self._settle(batch, result)

    async def _commit(self, batch: list[Message], stop: asyncio.Event) -> BatchResult | None:
        """The batch's result; None when told to stop while the store was away."""
        loop = asyncio.get_running_loop()
        retries = stamina.retry_context(
            on=lambda error: isinstance(error, RETRIED) and not stop.is_set(),
            attempts=None,
            timeout=None,
            wait_initial=0.05,
            wait_max=2.0,
            wait_jitter=0.1,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await loop.run_in_executor(self._taking, self._worker.handle, batch)
        except RETRIED:
            log.warning("batch-left", messages=len(batch))
        return None

    async def _settle(self, batch: list[Message], result: BatchResult) -> None:
        """After the transaction: the broker may forget, the devices are answered.

        A crash or an absent broker here leaves messages that are delivered again, as duplicates.
        """
        self.counts.batch(result)
        self._waiting.add(result.committed)
        self._waiting.add(result.duplicates)
        self._arrived.set()
        try:
            await self._queue.acknowledge(batch)
            if result.refused:
                await self._queue.answer(
                    refusal_answers(result.refused, self._signer, self._organisation, self._origin)
                )
        except (BrokerError, OSError) as error:
            log.warning("broker-away", error=repr(error), batch=len(batch))

    async def _answer(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        next_at = 0.0
        while not stop.is_set():
            if not len(self._waiting):
                self._arrived.clear()
                await _either(stop, self._arrived)
                continue
            early = len(self._waiting) >= _WAITING_SEND
            if not early and loop.time() < next_at:
                await _sleep(stop, min(next_at - loop.time(), 1.0))
                continue
            if await self._answer_covered():
                next_at = loop.time() + self._limits.ack_interval_s

    async def _answer_covered(self) -> bool:
        """Send the receipts that the newest checkpoint covers, or wait a little for the next."""
        loop = asyncio.get_running_loop()
        covered = []
        try:
            newest = await loop.run_in_executor(self._answering, self._desk.newest)
            covered = [] if newest is None else self._waiting.take_covered(newest.size)
            if newest is None or not covered:
                await loop.run_in_executor(self._answering, self._desk.wait, _LOOK_AGAIN_S)
                return False
            answers = await loop.run_in_executor(
                self._answering, self._desk.answers, newest, covered
            )
            await self._queue.answer(answers)
        except (psycopg.Error, LogDamaged, BrokerError, OSError) as error:
            log.warning("receipts-wait", error=repr(error), receipts=len(covered))
            self._waiting.add(covered)
            self._desk.close()
            await asyncio.sleep(_AGAIN_AFTER_S)
            return False
        self.counts.receipts(len(covered))
        return True

    async def _report(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _sleep(stop, _REPORT_EACH_S)
            figures = self.counts.take()
            if figures:
                log.info("intake", waiting=len(self._waiting), **figures)
            if noisiest := self.counts.take_noisiest():
                log.warning("over-quota", devices=noisiest)

    def _close(self) -> None:
        for executor in (self._taking, self._answering):
            executor.shutdown(wait=True)
        self._worker.close()
        self._desk.close()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in (first, second)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
