import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.merge import in_order_of_arrival, in_order_of_time
from edge_agent.observation import Observation
from edge_agent.sources.port import Batch, Lane
from edge_agent.timebase import Timebase
from schemas.segment import CLOCK_GNSS

T0 = 1_700_000_000_000.0


def batch(*stamps: float) -> Batch:
    return Batch(tuple(Observation(stamp) for stamp in stamps), stamps[-1])


async def merged(lanes: list[Lane], silence_s: float = 0.05) -> list[tuple[str, float]]:
    return [
        (lane.name, lane.timebase.utc_ms(observation.stamp_ms))
        async for lane, observation in in_order_of_time(lanes, silence_s)
    ]


@given(
    st.lists(st.integers(0, 10_000), max_size=60),
    st.lists(st.integers(0, 10_000), max_size=60),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_two_sources_are_one_stream_in_order_of_time_however_they_are_batched(
    one: list[int], two: list[int], size: int, chance: random.Random
) -> None:
    async def feed(lane: Lane, stamps: list[int]) -> None:
        for i in range(0, len(stamps), size):
            await lane.deliver(batch(*[T0 + s for s in stamps[i : i + size]]))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        await lane.close()

    async def scenario() -> list[float]:
        lanes = [Lane(name, Timebase(), waits=True) for name in ("can", "nmea")]
        async with asyncio.TaskGroup() as group:
            for lane, stamps in zip(lanes, (one, two), strict=True):
                group.create_task(feed(lane, sorted(stamps)))
            stream = group.create_task(merged(lanes, 5))
        return [utc for _, utc in stream.result()]

    times = asyncio.run(scenario())
    assert times == sorted(times)
    assert set(times) == {T0 + s for s in one + two}


def test_a_silent_source_is_not_waited_for_for_ever() -> None:
    async def scenario() -> list[tuple[str, float]]:
        can, nmea = (Lane(name, Timebase(), waits=True) for name in ("can", "nmea"))
        await can.deliver(batch(1, 2, 3))
        await can.close()
        stream = asyncio.create_task(merged([can, nmea]))
        await asyncio.sleep(0.2)
        await nmea.deliver(batch(9))
        await nmea.close()
        return await stream

    assert [name for name, _ in asyncio.run(scenario())] == ["can"] * 4 + ["nmea"] * 2


def test_a_bus_whose_clock_is_weeks_off_is_put_beside_the_receivers_time() -> None:
    async def scenario() -> tuple[list[tuple[str, float]], Lane]:
        can, nmea = (Lane(name, Timebase(), waits=True) for name in ("can", "nmea"))
        await can.deliver(batch(T0 - 1e9, T0 - 1e9 + 1_000))
        fix = Observation(T0 + 500, gnss_ms=T0 + 500, epoch_ms=T0 + 500)
        await nmea.deliver(Batch((fix,), fix.stamp_ms))
        await can.close()
        await nmea.close()
        return await merged([can, nmea]), can

    stream, can = asyncio.run(scenario())
    assert can.timebase.quality.source == CLOCK_GNSS
    assert sorted(utc for _, utc in stream) == [T0 + 500] * 3 + [T0 + 1_500] * 2


def test_a_replay_waits_for_room_and_a_live_bus_drops_and_counts() -> None:
    async def scenario(waits: bool) -> tuple[int, bool]:
        lane = Lane("can", Timebase(), waits)

        async def fill() -> None:
            for stamp in range(lane.queue.maxsize + 10):
                await lane.deliver(batch(stamp, stamp))

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0.05)
        blocked = not filling.done()
        filling.cancel()
        return lane.dropped, blocked

    assert asyncio.run(scenario(True)) == (0, True)
    assert asyncio.run(scenario(False)) == (20, False)


def test_live_sources_come_as_they_arrive_and_silence_ticks() -> None:
    async def scenario() -> list[float | None]:
        lane = Lane("can", Timebase(), waits=False)
        await lane.deliver(batch(5, 3))
        seen: list[float | None] = []
        async for item in in_order_of_arrival([lane], 0.02):
            seen.append(None if item is None else item[1].stamp_ms)
            if item is None:
                await lane.close()
        return seen

    assert asyncio.run(scenario()) == [5, 3, 3, None]
