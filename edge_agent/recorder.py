"""Keeps what the pipeline tells: journals it, seals it in time, and states what is missing.

The one owner of the open segment. Everything that touches the disk goes through ``Storage``.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from edge_agent.clock import Clock
from edge_agent.open_segment import SILENCE_CUT_MS, OpenSegment
from edge_agent.outbox import Outbox
from edge_agent.pipeline import Step, Told, Vin
from edge_agent.sampler import SECOND_MS, Sample
from edge_agent.sealer import Dropped, Sealer
from edge_agent.timebase import ClockQuality
from schemas.catalogue import BY_PATH, EVENT_END_OF_SOURCE, EVENT_VIN, VIN_DETAIL_KEY
from schemas.limits import BOOT_BYTES
from schemas.segment import CLOCK_GNSS, FLAG_RECOVERED, SegmentEvent

P = ParamSpec("P")
R = TypeVar("R")

JOURNAL_MOVING_MS = 5_000
JOURNAL_STANDING_MS = 30_000

_SPEEDS = tuple(BY_PATH[path] for path in ("Vehicle.Speed", "Vehicle.CurrentLocation.Speed"))
_STANDING_KMH = 3.0
_DROP_SHARE = 20
"""A full outbox drops a twentieth of itself at once, so that one gap states many segments."""


@dataclass(slots=True)
class Storage:
    """The outbox and the one thread that uses it, so that a slow disk stalls no source."""

    outbox: Outbox
    thread: ThreadPoolExecutor

    async def do(
        self,
        operation: Callable[Concatenate[Outbox, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run one operation of the outbox to its end, even if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self.thread, lambda: operation(self.outbox, *args, **kwargs))
        return await asyncio.shield(work)


@dataclass(frozen=True, slots=True)
class Limits:
    """What configuration may choose: samples a segment, and the bytes that may wait unsent."""

    samples: int
    unsent_bytes: int


@dataclass(slots=True)
class Recorder:
    """One start of the agent: ``boot`` is fresh. ``sealed`` is set when there is more to send."""

    storage: Storage
    sealer: Sealer
    clock: Clock
    limits: Limits
    quality: Callable[[], ClockQuality]
    boot: bytes
    mono_ms: Callable[[float], float]
    """Milliseconds since this start at a UTC time in ms."""
    sealed: asyncio.Event = field(default_factory=asyncio.Event)
    samples: int = 0
    statements: int = 0
    dropped: int = 0
    _opened: OpenSegment | None = None
    _next_seq: int = 0
    _prev: bytes = b""
    _gap_from_ms: int | None = None
    _waiting_events: list[tuple[float, int, dict[int, int | str | bytes]]] = field(
        default_factory=list
    )
    _journalled: tuple[int, int] = (0, 0)
    _journalled_ms: int = 0

    async def start(self) -> int:
        """Seal what a crash left in the journal; returns its number of samples."""
        if len(self.boot) != BOOT_BYTES:
            raise ValueError(f"a boot is {BOOT_BYTES} bytes")
        chain = await self.storage.do(Outbox.chain)
        self._prev = chain.digest if chain else b""
        recovered = await self.storage.do(Outbox.journalled)
        if recovered is not None and recovered.samples:
            await self._seal(recovered, FLAG_RECOVERED)
        chain = await self.storage.do(Outbox.chain)
        self._gap_from_ms = chain.last_ms if chain else None
        return len(recovered.samples) if recovered else 0

    async def tell(self, told: Told) -> None:
        """Take what the pipeline has found."""
        if isinstance(told, Sample):
            await self._sample(told)
        elif isinstance(told, Step):
            await self._step(round(told.step_ms))
        elif isinstance(told, Vin):
            await self._event(told.at_ms, EVENT_VIN, {VIN_DETAIL_KEY: told.text})

    async def idle(self, utc_ms: float) -> None:
        """Nothing new up to this UTC time: a segment that has fallen silent is sealed."""
        opened = self._opened
        if opened is None:
            return
        full = len(opened.samples) >= self.limits.samples
        if utc_ms - opened.last_ms > (2 * SECOND_MS if full else SILENCE_CUT_MS):
            await self._cut()

    async def end_of_source(self) -> None:
        """The source has ended in order: say so, signed, and seal."""
        if self.samples:
            last_ms = self._opened.last_ms if self._opened else await self._last_ms()
            await self._event(last_ms, EVENT_END_OF_SOURCE, {})
            if self._opened is None:
                self._open(round(last_ms))
                self._attach_events()
        await self._cut()

    async def close(self) -> None:
        """Seal what is open, with no word on why it ends."""
        await self._cut()

    async def _sample(self, sample: Sample) -> None:
        if self._opened is not None and self._opened.must_cut_before(sample, self.limits.samples):
            await self._cut()
        if self._opened is None:
            self._open(sample.t_ms)
        opened = self._opened
        if opened is None:
            raise RuntimeError("no segment is open")
        opened.add(sample)
        self.samples += 1
        self._attach_events()
        wait_ms = JOURNAL_MOVING_MS if _moves(sample) else JOURNAL_STANDING_MS
        if sample.t_ms - self._journalled_ms >= wait_ms - SECOND_MS:
            await self._journal(opened)

    def _open(self, t0: int) -> None:
        mono = max(0, round(self.mono_ms(t0)))
        self._opened = OpenSegment(
            self.boot, self._next_seq, t0, mono, self.quality(), self._gap_from_ms
        )
        self._journalled = (0, 0)
        self._journalled_ms = t0

    def _attach_events(self) -> None:
        if self._opened is not None:
            for at_ms, event, detail in self._waiting_events:
                offset_ms = round(at_ms) - self._opened.t0
                self._opened.events.append(SegmentEvent(offset_ms, event, detail))
            self._waiting_events.clear()

    async def _event(self, at_ms: float, event: int, detail: dict[int, int | str | bytes]) -> None:
        if self._opened is not None and self._opened.must_cut_before_event(detail):
            await self._cut()
        self._waiting_events.append((at_ms, event, detail))
        self._attach_events()

    async def _step(self, step_ms: int) -> None:
        """A segment opened on an unvouched clock is moved; one opened on GNSS time is cut."""
        self._waiting_events = [(at + step_ms, e, d) for at, e, d in self._waiting_events]
        opened = self._opened
        if opened is None:
            return
        if opened.clock.source == CLOCK_GNSS or opened.t0 + step_ms < 0:
            await self._cut()
            return
        opened.rebase(step_ms, self.quality())
        self._journalled_ms += step_ms
        await self._journal(opened)

    async def _journal(self, opened: OpenSegment) -> None:
        await self.storage.do(Outbox.journal, opened, *self._journalled)
        self._journalled = (len(opened.samples), len(opened.events))
        self._journalled_ms = opened.last_ms

    async def _cut(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            self._next_seq = opened.seq + await self._seal(opened, 0)
            self._gap_from_ms = None

    async def _seal(self, opened: OpenSegment, flags: int) -> int:
        ids, dropped = await self._overflow()
        sealed = self.sealer.seal(opened, self._prev, flags, dropped)
        await self.storage.do(Outbox.seal, sealed, opened.last_ms, round(self.clock.utc_ms()), ids)
        self._prev = sealed[-1].digest
        self.statements += len(sealed)
        self.dropped += len(ids)
        self.sealed.set()
        return len(sealed)

    async def _overflow(self) -> tuple[list[int], Dropped | None]:
        backlog = await self.storage.do(Outbox.backlog)
        if backlog.size <= self.limits.unsent_bytes:
            return [], None
        size = backlog.size - self.limits.unsent_bytes + self.limits.unsent_bytes // _DROP_SHARE
        return await self.storage.do(Outbox.oldest_unsent, size)

    async def _last_ms(self) -> int:
        chain = await self.storage.do(Outbox.chain)
        if chain is None:
            raise RuntimeError("samples were taken, yet nothing was sealed")
        return chain.last_ms


def _moves(sample: Sample) -> bool:
    """Whether the vehicle moves, as far as is known; not knowing counts as moving."""
    speeds = [
        signal.decode(sample.cells[signal.id]) for signal in _SPEEDS if signal.id in sample.cells
    ]
    return not speeds or max(speeds) > _STANDING_KMH
