import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from edge_agent.outbox import Outbox
from edge_agent.pipeline import Step, Vin
from edge_agent.recorder import JOURNAL_MOVING_MS, Limits, Recorder, Storage
from edge_agent.sampler import Sample
from edge_agent.timebase import UNVOUCHED, ClockQuality
from schemas.catalogue import EVENT_END_OF_SOURCE, EVENT_VIN
from schemas.cose import sign1
from schemas.kinds import Kind, kind_of_type
from schemas.segment import FLAG_RECOVERED, Segment, read_segment_strict
from schemas.statements import gap as gap_statement
from schemas.statements.gap import CAUSE_DROPPED, CAUSE_RESTART, Gap
from tests.edge_agent.fake_exchange import unbroken
from tests.edge_agent.opened import SPEED, T0, sealer

GNSS = ClockQuality(3, 500)
SEALER = sealer()
MOVING = 5_000


class StoppedClock:
    """A clock of the test."""

    now_ms = float(T0)

    def utc_ms(self) -> float:
        return self.now_ms

    def mono_ms(self) -> float:
        return self.now_ms - T0

    def quality(self) -> ClockQuality:
        return GNSS


class Bench:
    """A recorder on a real outbox file; ``boot`` tells starts apart."""

    def __init__(self, recorder: Recorder, outbox: Outbox) -> None:
        self.recorder, self.outbox = recorder, outbox

    async def drive(self, first_s: int, last_s: int, speed: int = MOVING) -> None:
        for second in range(first_s, last_s):
            await self.recorder.tell(Sample(T0 + second * 1_000, {SPEED: speed}))

    def statements(self) -> list[tuple[Kind, sign1.Statement]]:
        rows = self.outbox._connection.execute("SELECT raw FROM statement WHERE raw NOT NULL")
        parsed = [sign1.parse(raw) for (raw,) in rows]
        return [(kind_of_type(s.header.type), s) for s in parsed]

    def segments(self) -> list[Segment]:
        found = [s for kind, s in self.statements() if kind is Kind.SEGMENT]
        return [read_segment_strict(s.payload) for s in found]

    def gaps(self) -> list[Gap]:
        found = [s for kind, s in self.statements() if kind is Kind.GAP]
        return [gap_statement.decode(s.payload) for s in found]


@asynccontextmanager
async def started(
    folder: Path,
    boot: int = 1,
    quality: ClockQuality = GNSS,
    limits: Limits = Limits(60, 1 << 30),  # noqa: B008 - immutable
) -> AsyncIterator[Bench]:
    """A start of the agent. Leaving without ``close`` is what a power cut does."""
    outbox = Outbox.open(folder / "outbox.sqlite", connect_anywhere)
    with ThreadPoolExecutor(1) as thread:
        recorder = Recorder(
            storage=Storage(outbox, thread),
            sealer=SEALER,
            clock=StoppedClock(),
            limits=limits,
            quality=lambda: quality,
            boot=bytes([boot]) * 8,
            mono_ms=lambda utc_ms: utc_ms - T0,
        )
        await recorder.start()
        yield Bench(recorder, outbox)
    outbox.close()


def connect_anywhere(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def body() -> None:
        await scenario()

    asyncio.run(body())


def test_a_drive_becomes_segments_of_sixty_samples_in_one_chain(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 150)
            await bench.recorder.end_of_source()
            segments = bench.segments()

            assert [(s.seq, s.block.n, s.block.step_ms) for s in segments] == [
                (0, 60, 1_000),
                (1, 60, 1_000),
                (2, 30, 1_000),
            ]
            assert unbroken(bench.statements())
            assert [e.event_id for e in segments[2].events] == [EVENT_END_OF_SOURCE]
            assert segments[2].t0 + segments[2].events[0].offset_ms == T0 + 149_000
            assert segments[0].prev == b""

    run(scenario)


def test_a_power_cut_costs_at_most_the_time_between_two_journal_entries(tmp_path: Path) -> None:
    async def scenario() -> None:
        for last_s in range(1, 12):
            folder = tmp_path / str(last_s)
            folder.mkdir()
            async with started(folder) as bench:
                await bench.drive(0, last_s)
            async with started(folder, boot=2) as bench:
                kept = sum(segment.block.n for segment in bench.segments())
                assert (last_s - kept) * 1_000 < JOURNAL_MOVING_MS

    run(scenario)


def test_a_standing_truck_is_journalled_less_often(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 29, speed=0)
            assert bench.outbox.journalled() is None
            await bench.drive(29, 30, speed=0)
            assert bench.outbox.journalled() is not None

    run(scenario)


def test_a_recovered_segment_keeps_its_names_and_the_next_start_states_the_gap(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 73)
        async with started(tmp_path, boot=2) as bench:
            await bench.drive(100, 103)
            await bench.recorder.close()
            first, recovered, after = bench.segments()
            (gap,) = bench.gaps()

            assert (recovered.boot, recovered.seq) == (first.boot, 1)
            assert (recovered.t0, recovered.mono) == (T0 + 60_000, 60_000)
            assert recovered.flags == FLAG_RECOVERED
            assert recovered.block.n == 13
            assert (gap.from_ms, gap.to_ms) == (T0 + 72_000, T0 + 100_000)
            assert (gap.cause, gap.seq, after.seq) == (CAUSE_RESTART, 0, 1)
            assert gap.boot == after.boot != first.boot
            assert unbroken(bench.statements())

    run(scenario)


def test_the_gap_of_a_start_survives_a_crash_of_that_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 10)
            await bench.recorder.close()
        async with started(tmp_path, boot=2) as bench:
            await bench.drive(50, 60)
        async with started(tmp_path, boot=3) as bench:
            await bench.drive(90, 92)
            await bench.recorder.close()

            spans = [((g.from_ms - T0) // 1_000, (g.to_ms - T0) // 1_000) for g in bench.gaps()]
            assert spans == [(9, 50), (58, 90)]
            assert unbroken(bench.statements())

    run(scenario)


def test_the_first_start_of_a_device_has_no_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 3)
            await bench.recorder.close()
            assert bench.gaps() == []

    run(scenario)


def test_satellite_time_moves_the_segment_that_was_opened_without_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        quality = [UNVOUCHED]
        async with started(tmp_path) as bench:
            bench.recorder.quality = lambda: quality[0]
            await bench.drive(0, 4)
            quality[0] = GNSS
            await bench.recorder.tell(Step(86_400_250))
            await bench.recorder.tell(Sample(T0 + 86_405_000, {SPEED: MOVING}))
            journalled = bench.outbox.journalled()
            await bench.recorder.close()
            (segment,) = bench.segments()

            assert journalled is not None
            assert journalled.t0 == segment.t0 == T0 + 86_400_250
            assert segment.clock == tuple(GNSS)
            assert segment.mono == 0
            assert segment.block.n == 5

    run(scenario)


def test_a_step_of_satellite_time_itself_cuts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 4)
            await bench.recorder.tell(Step(5_000))
            await bench.drive(9, 11)
            await bench.recorder.close()

            assert [s.t0 - T0 for s in bench.segments()] == [0, 9_000]

    run(scenario)


def test_a_vin_waits_for_the_first_sample(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.recorder.tell(Vin(T0 - 500, "YV2E4C3A5VB180691"))
            await bench.drive(0, 2)
            await bench.recorder.close()
            (segment,) = bench.segments()

            event = segment.events[0]
            assert (event.event_id, event.offset_ms) == (EVENT_VIN, -500)
            assert event.detail == {1: "YV2E4C3A5VB180691"}

    run(scenario)


def test_an_end_after_everything_is_sealed_is_said_in_a_segment_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 60)
            await bench.recorder.idle(T0 + 62_500)
            assert len(bench.segments()) == 1
            await bench.recorder.end_of_source()
            last = bench.segments()[1]

            assert [e.event_id for e in last.events] == [EVENT_END_OF_SOURCE]
            assert (last.t0, last.block.columns) == (T0 + 59_000, {})

    run(scenario)


def test_without_any_sample_there_is_nothing_to_say(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.recorder.end_of_source()
            assert bench.statements() == []

    run(scenario)


def test_a_bus_that_falls_silent_has_its_segment_sealed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path) as bench:
            await bench.drive(0, 5)
            await bench.recorder.idle(T0 + 20_000)
            assert bench.segments() == []
            await bench.recorder.idle(T0 + 40_000)
            assert len(bench.segments()) == 1

    run(scenario)


def test_a_full_outbox_drops_its_oldest_under_a_signed_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path, limits=Limits(10, 20_000)) as bench:
            await bench.drive(0, 1_000)
            await bench.recorder.close()
            gaps = bench.gaps()

            assert {g.cause for g in gaps} == {CAUSE_DROPPED}
            assert bench.recorder.dropped == bench.outbox.counts()["dropped"] > 0
            assert bench.outbox.backlog().size < 25_000
            covered = {
                T0 + second * 1_000
                for g in gaps
                for second in range(1_000)
                if g.from_ms < T0 + second * 1_000 < g.to_ms
            } | {s.t0 + i * 1_000 for s in bench.segments() for i in range(s.block.n)}
            assert covered == {T0 + second * 1_000 for second in range(1_000)}

    run(scenario)
