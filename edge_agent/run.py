"""One run of the agent: sources, pipeline, recorder and uplink, until the end or a signal."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from edge_agent.clock import Clock
from edge_agent.configuration import SOURCE_CLOCK, Configuration
from edge_agent.mail import OutboxMail
from edge_agent.merge import in_order_of_arrival, in_order_of_time
from edge_agent.observation import Observation
from edge_agent.outbox import Outbox
from edge_agent.pipeline import Pipeline
from edge_agent.recorder import Recorder
from edge_agent.sources.port import Lane, Source, SourceLost
from edge_agent.timebase import Timebase
from edge_agent.uplink import Uplink

_log = logging.getLogger(__name__)

SHUTDOWN_DRAIN_S = 5.0
_TICK_S = 0.2
_PROGRESS_S = 5.0
_DRAIN_PROGRESS_S = 2.0
_SOURCE_RETRY_S = 30.0
_SOURCE_WAIT_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Ambient:
    """What a run takes from outside: time and randomness."""

    clock: Clock
    random_bytes: Callable[[int], bytes]
    random: Callable[[], float]


@dataclass(slots=True)
class Ending:
    """How a run ended. ``lost`` says which source broke off, ``waiting`` has no receipt yet."""

    samples: int = 0
    statements: int = 0
    receipted: int = 0
    waiting: int = 0
    refused: int = 0
    dropped: int = 0
    late: int = 0
    lost: str | None = None
    interrupted: signal.Signals | None = None


@dataclass(slots=True)
class Run:
    """The parts of one run. ``sources`` and ``lanes`` belong together, in order."""

    configuration: Configuration
    ambient: Ambient
    recorder: Recorder
    pipeline: Pipeline
    mail: OutboxMail
    uplink: Uplink
    sources: Sequence[Source]
    lanes: Sequence[Lane]
    ending: Ending = field(default_factory=Ending)
    _started_ms: float = 0.0
    _line: Timebase | None = None
    """The time line of the source that was heard first."""
    _alone: bool = True
    _ticked_ms: float = 0.0
    _hurried: bool = False

    @property
    def replayed(self) -> bool:
        """Time follows the sources."""
        return self.configuration.clock == SOURCE_CLOCK

    async def until_end(self) -> Ending:
        """Run until the sources end or a signal comes, then wait for receipts."""
        set_on_retry_hooks([_log_retry])
        recovered = await self.recorder.start()
        if recovered:
            _log.info("recovered the open segment of an earlier run", extra={"samples": recovered})
        helpers = [asyncio.create_task(self.uplink.run()), asyncio.create_task(self._progress())]
        listening = [
            asyncio.create_task(self._keep(source, lane))
            for source, lane in zip(self.sources, self.lanes, strict=True)
        ]
        self._stop_on_signals(listening)
        main = asyncio.create_task(self._record_and_drain())
        try:
            await _first_failure(main, [*helpers, *listening])
        finally:
            for task in (main, *helpers, *listening):
                task.cancel()
            await asyncio.gather(main, *helpers, *listening, return_exceptions=True)
        return self.ending

    async def _record_and_drain(self) -> None:
        await self._record()
        if self.ending.lost is None:
            await self.recorder.end_of_source()
        else:
            await self.recorder.close()
        interrupted = self.ending.interrupted is not None
        timeout_s = self.configuration.drain_timeout_s
        await self._drain(min(timeout_s, SHUTDOWN_DRAIN_S) if interrupted else timeout_s)

    async def _record(self) -> None:
        async for item in self._stream():
            if item is not None:
                lane, observation = item
                self._note_line(lane, observation)
                for told in self.pipeline.feed(observation, lane.timebase, self._alone):
                    await self.recorder.tell(told)
            if not self.replayed:
                await self._tick()
        for told in self.pipeline.finish():
            await self.recorder.tell(told)

    def _stream(self) -> AsyncIterator[tuple[Lane, Observation] | None]:
        if self.replayed:
            return in_order_of_time(self.lanes)
        return in_order_of_arrival(self.lanes, _TICK_S)

    async def _tick(self) -> None:
        """The live clock goes on, whether or not anything was heard."""
        clock, timebase = self.ambient.clock, self.lanes[0].timebase
        mono_ms = clock.mono_ms()
        if mono_ms - self._ticked_ms < _TICK_S * 500:
            return
        self._ticked_ms = mono_ms
        step = timebase.follow_system(clock.utc_ms() - mono_ms, clock.quality())
        if step:
            await self.recorder.tell(self.pipeline.shift(step))
        utc_ms = timebase.utc_ms(mono_ms)
        for told in self.pipeline.advance(utc_ms):
            await self.recorder.tell(told)
        await self.recorder.idle(utc_ms)

    def _note_line(self, lane: Lane, observation: Observation) -> None:
        if self._line is None:
            self._started_ms, self._line = observation.stamp_ms, lane.timebase
        elif self._line is not lane.timebase:
            self._alone = False

    def mono_ms(self, utc_ms: float) -> float:
        """Milliseconds from the first thing heard in this run to a UTC time."""
        line = self._line
        return 0.0 if line is None else utc_ms - line.offset_ms - self._started_ms

    async def _keep(self, source: Source, lane: Lane) -> None:
        """Run a source, again and again while it can be reached; then close its lane."""
        try:
            async for attempt in stamina.retry_context(
                on=SourceLost,
                attempts=None,
                timeout=_SOURCE_RETRY_S if self.replayed else None,
                wait_max=_SOURCE_WAIT_MAX_S,
            ):
                with attempt:
                    _log.info("listening", extra={"source": source.name})
                    await source.run(lane.deliver)
        except SourceLost as error:
            self.ending.lost = str(error)
        finally:
            await lane.close()

    async def _drain(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while (waiting := await self._waiting()) and not self._hurried:
                    try:
                        async with asyncio.timeout(_DRAIN_PROGRESS_S):
                            await self.mail.settled.wait()
                    except TimeoutError:
                        _log.info("waiting for receipts", extra={"waiting": waiting})
                    self.mail.settled.clear()
        ending, counts = self.ending, self.mail.counts
        ending.samples, ending.statements = self.recorder.samples, self.recorder.statements
        ending.receipted, ending.refused = counts.receipted, counts.refused
        ending.waiting, ending.dropped = await self._waiting(), self.recorder.dropped
        ending.late = self.pipeline.sampler.late

    async def _waiting(self) -> int:
        backlog = await self.recorder.storage.do(Outbox.backlog)
        return backlog.statements

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            _log.info(
                "running",
                extra={
                    "samples": self.recorder.samples,
                    "statements": self.recorder.statements,
                    "receipted": self.mail.counts.receipted,
                    "waiting": await self._waiting(),
                    "connected": self.uplink.connected,
                    "batches_dropped": sum(lane.dropped for lane in self.lanes),
                    "readings_late": self.pipeline.sampler.late,
                },
            )

    def _stop_on_signals(self, listening: Sequence[asyncio.Task[None]]) -> None:
        """A signal ends the sources in order; a second one ends the wait for receipts too."""
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            self._hurried = self.ending.interrupted is not None or all(t.done() for t in listening)
            self.ending.interrupted = number
            for task in listening:
                task.cancel()
            self.mail.settled.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)


async def _first_failure(
    main: "asyncio.Task[None]", others: "Sequence[asyncio.Task[None]]"
) -> None:
    """Wait for ``main``, or for the first of the others to fail; its error is raised."""
    pending: set[asyncio.Task[None]] = {main, *others}
    while main in pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():
                task.result()


def _log_retry(details: RetryDetails) -> None:
    _log.warning(
        "trying again",
        extra={"error": str(details.caused_by), "wait_s": round(details.wait_for, 1)},
    )
