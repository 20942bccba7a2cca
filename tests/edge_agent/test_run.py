"""The whole agent against a real broker and the bench truck."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.decode.bus import BusDecoder
from edge_agent.decode.nmea import NmeaDecoder
from edge_agent.enrolment import read_key
from edge_agent.observation import Observation
from edge_agent.outbox import Outbox
from edge_agent.pipeline import Pipeline
from edge_agent.run import Ending
from edge_agent.sampler import Sample, Sampler
from edge_agent.selection import Selector
from edge_agent.timebase import Timebase
from firmware_sim.bench.moments import moments
from firmware_sim.drives import open_drive, shipped_drive
from firmware_sim.drives.shipped import ECLIPSE_TRUCK
from schemas.catalogue import EVENT_END_OF_SOURCE, EVENT_VIN, SIGNALS
from schemas.columns import decode_column
from schemas.cose import sign1
from schemas.samples import sample_offsets_ms
from schemas.segment import CLOCK_GNSS, Segment
from tests.edge_agent.agent import assembled, replay, run_agent
from tests.edge_agent.bench_truck import playing
from tests.edge_agent.fake_exchange import FakeExchange, unbroken
from tests.edge_agent.opened import SPEED, opened, sealer
from tests.edge_agent.recorded import DRIVES, WANDERING

GPS_DRIVE = DRIVES / "eclipse_fms_truck" / "signalsCovesaCvRecording.csv"

SampledAt = dict[tuple[int, int], int]


def truck() -> Path:
    path = shipped_drive(ECLIPSE_TRUCK)
    assert path is not None
    return path


def restored(segments: list[Segment]) -> SampledAt:
    """Values by (UTC ms, signal)."""
    found: SampledAt = {}
    for segment in segments:
        times = [segment.t0 + offset for offset in sample_offsets_ms(segment.block)]
        for signal_id, column in segment.block.columns.items():
            for t_ms, value in zip(times, decode_column(column, segment.block.n), strict=True):
                if value is not None:
                    found[t_ms, signal_id] = value
    return found


def sampled_slowly(drive: Path, t_zero_ms: int) -> SampledAt:
    """The same drive through the pure parts alone: no sockets, no batches, no speed."""
    bus, receiver = BusDecoder(), NmeaDecoder(replayed=True)
    timebase, pipeline = Timebase(), Pipeline(Sampler(SIGNALS), Selector(), 400)
    told = []
    for moment in moments(open_drive(drive), t_zero_ms, fill_in=False):
        heard: list[Observation | None] = []
        if moment.frame is not None:
            frame, stamp_ms = moment.frame, moment.frame.time_ns // 1_000 / 1_000
            heard.append(bus.frame(frame.can_id, frame.extended, frame.data, stamp_ms))
        lines = moment.sentences.splitlines()
        heard += [receiver.line(line + b"\r\n", 0.0) for line in lines]
        for observation in heard:
            if observation is not None:
                told += pipeline.feed(observation, timebase, not lines)
    told += pipeline.finish()
    return {(s.t_ms, i): v for s in told if isinstance(s, Sample) for i, v in s.cells.items()}


def drive(folder: Path, exchange: FakeExchange, path: Path, speed: float) -> tuple[Ending, int]:
    """Play a drive into an agent; how it ended, and the UTC of the drive's beginning in ms."""

    async def scenario() -> tuple[Ending, int]:
        async with exchange.serving(), playing(path, speed) as bench:
            return await run_agent(folder, replay(bench.can, bench.nmea)), bench.t_zero_ms

    return asyncio.run(scenario())


def test_a_trucks_drive_at_a_hundred_times_its_speed_arrives_whole(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    ending, t_zero_ms = drive(agent_dir, exchange, truck(), 100)
    segments = exchange.segments()

    assert ending.waiting == ending.dropped == ending.late == 0
    assert ending.receipted == ending.statements == len(exchange.statements)
    assert unbroken(exchange.statements)
    assert restored(segments) == sampled_slowly(truck(), t_zero_ms)
    events = [(e.event_id, s.t0 + e.offset_ms) for s in segments for e in s.events]
    assert [event for event, _ in events] == [EVENT_VIN, EVENT_END_OF_SOURCE]
    assert {s.driver_class for s in segments} == {True, False}


def test_bus_and_receiver_are_merged_by_their_time_at_any_speed(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    ending, t_zero_ms = drive(agent_dir, exchange, GPS_DRIVE, 1_000)

    assert ending.late == 0
    assert restored(exchange.segments()) == sampled_slowly(GPS_DRIVE, t_zero_ms)
    assert {segment.clock[0] for segment in exchange.segments()} == {CLOCK_GNSS}


def test_a_recording_whose_clock_is_hours_behind_is_sealed_in_satellite_time(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    ending, t_zero_ms = drive(agent_dir, exchange, WANDERING, 500)
    first = exchange.segments()[0]

    assert ending.samples == 102
    assert first.clock == (CLOCK_GNSS, 500)
    assert first.t0 - t_zero_ms == pytest.approx(11_603_700, abs=1_500)


def test_an_agent_that_is_told_nothing_sends_everything_again_at_its_next_start(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> tuple[Ending, Ending]:
        async with exchange.serving():
            exchange.deaf = True
            async with playing(WANDERING, 1_000) as bench:
                configuration = replay(bench.can, bench.nmea, drain_timeout_s=0.5)
                first = await run_agent(agent_dir, configuration)
            exchange.deaf = False
            async with playing(WANDERING, 1_000) as bench:
                return first, await run_agent(agent_dir, replay(bench.can, bench.nmea))

    first, second = asyncio.run(scenario())

    assert first.waiting == first.statements == 2
    assert second.waiting == 0
    assert second.receipted == len(exchange.statements) == 5
    assert len(exchange.gaps()) == 1
    assert unbroken(exchange.statements)


def test_a_lost_answer_is_asked_for_again_and_commits_nothing_twice(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    lost: set[bytes] = set()
    acknowledge = exchange.acknowledge

    async def lose_the_first(statements: list[sign1.Statement]) -> None:
        for statement in statements:
            if statement.digest in lost:
                await acknowledge([statement])
            lost.add(statement.digest)

    exchange.acknowledge = lose_the_first  # type: ignore[method-assign,assignment]
    ending, _ = drive(agent_dir, exchange, WANDERING, 1_000)

    assert ending.waiting == 0
    assert exchange.received > len(exchange.statements) == ending.statements


def test_acknowledgements_that_prove_nothing_settle_nothing(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    stranger = FakeExchange.make(exchange.broker)

    async def scenario() -> Ending:
        async with exchange.serving(), playing(WANDERING, 1_000) as bench:
            exchange.deaf = True

            async def forge() -> None:
                await exchange.until(lambda: exchange.received > 0)
                await exchange.publish("ack", b"no acknowledgement")
                for ack in forged:
                    await exchange.publish("ack", ack)
                await exchange.publish("ref", b"no refusal")

            one = sign1.parse(stranger_statement(agent_dir))
            for other in (exchange, stranger):
                other.commit(one)
            forged = [exchange.ack([one]).encode(), stranger.ack([one]).encode()]
            forging = asyncio.create_task(forge())
            configuration = replay(bench.can, bench.nmea, drain_timeout_s=1.5)
            async with assembled(agent_dir, configuration) as run:
                ending = await run.until_end()
                unverified.append(run.mail.counts.unverified)
            await forging
            return ending

    unverified: list[int] = []
    ending = asyncio.run(scenario())

    assert ending.waiting == ending.statements > 0
    assert ending.receipted == 0
    assert unverified == [4]


def stranger_statement(folder: Path) -> bytes:
    """A statement by the device's key that its outbox does not hold."""
    return sealer(read_key(folder)).seal(opened([{SPEED: 1}], 77), bytes(32), 0)[0].raw


def test_what_is_refused_for_ever_moves_aside_and_blocks_nothing(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    refused: list[bytes] = []

    def judge(statement: sign1.Statement) -> tuple[str, bool] | None:
        if not refused or statement.digest in refused:
            refused.append(statement.digest)
            return "malformed", True
        return None

    exchange.judge = judge
    ending, _ = drive(agent_dir, exchange, truck(), 500)

    assert (ending.refused, ending.waiting) == (1, 0)
    assert ending.receipted == ending.statements - 1
    assert len(refused) == 1
    outbox = Outbox.open(agent_dir / "outbox.sqlite")
    assert outbox.counts()["refused"] == 1
    outbox.close()


def test_what_is_refused_for_now_is_sent_again(exchange: FakeExchange, agent_dir: Path) -> None:
    refusals = iter([("unknown-key", False)] * 2)
    exchange.judge = lambda statement: next(refusals, None)
    ending, _ = drive(agent_dir, exchange, WANDERING, 1_000)

    assert (ending.refused, ending.waiting) == (0, 0)
    assert ending.receipted == ending.statements


def test_what_is_over_quota_is_kept_sent_again_and_no_failure(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    told: list[bytes] = []

    def judge(statement: sign1.Statement) -> tuple[str, bool] | None:
        if len(told) >= 3 or statement.digest in told:
            return None
        told.append(statement.digest)
        return "over-quota", False

    exchange.judge = judge
    ending, _ = drive(agent_dir, exchange, truck(), 500)

    assert (ending.refused, ending.waiting) == (0, 0)
    assert ending.receipted == ending.statements > len(told) == 3
    assert set(told) <= {statement.digest for _, statement in exchange.statements}


def test_a_broker_that_dies_and_comes_back_costs_nothing(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> Ending:
        broker = exchange.broker
        async with exchange.serving(), playing(truck(), 200) as bench:
            running = asyncio.create_task(run_agent(agent_dir, replay(bench.can, bench.nmea)))
            await exchange.until(lambda: len(exchange.statements) > 4)
            await asyncio.to_thread(broker.stop)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(broker.start)
            return await running

    ending = asyncio.run(scenario())

    assert ending.waiting == 0
    assert len(exchange.statements) == ending.statements
    assert unbroken(exchange.statements)


def test_a_source_that_breaks_off_is_sealed_without_an_end(
    exchange: FakeExchange, agent_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.run._SOURCE_RETRY_S", 0.1)
    monkeypatch.setattr("edge_agent.sources.port.MARK_WAIT_S", 0.1)

    async def scenario() -> Ending:
        async with exchange.serving():
            async with playing(truck(), 100) as bench:
                configuration = replay(bench.can, bench.nmea)
                running = asyncio.create_task(run_agent(agent_dir, configuration))
                await exchange.until(lambda: len(exchange.statements) > 1)
            return await running

    ending = asyncio.run(scenario())

    assert ending.lost is not None
    assert ending.waiting == 0
    assert [e.event_id for s in exchange.segments() for e in s.events] == [EVENT_VIN]


def test_a_live_bus_is_sampled_by_the_trucks_own_clock(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> tuple[Ending, float]:
        async with exchange.serving(), playing(WANDERING, 40) as bench:
            live = replace(replay(bench.can, bench.nmea), clock="system")
            started_ms = asyncio.get_running_loop().time() * 1_000
            ending = await run_agent(agent_dir, live)
            return ending, asyncio.get_running_loop().time() * 1_000 - started_ms

    ending, lasted_ms = asyncio.run(scenario())
    segments = exchange.segments()

    assert ending.waiting == 0
    assert ending.samples <= lasted_ms / 1_000 + 1
    assert [e.event_id for s in segments for e in s.events] == [EVENT_END_OF_SOURCE]
