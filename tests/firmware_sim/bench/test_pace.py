import asyncio

from firmware_sim.bench.moments import start_ms
from firmware_sim.bench.pace import WAIT_S_MAX, Pace
from firmware_sim.drives import Facts

SECOND = 10**9


class HandTurnedClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.seconds += seconds


def played(speed: float, *times_s: float) -> list[float]:
    clock = HandTurnedClock()
    pace = Pace(clock, speed, 5 * SECOND)

    async def wait_for_all() -> None:
        for time_s in times_s:
            await pace.until(int(time_s * SECOND))

    asyncio.run(wait_for_all())
    return clock.slept


def test_own_time_is_kept_at_speed_one() -> None:
    assert played(1, 5, 6, 6.5) == [1.0, 0.5]


def test_n_times_faster_waits_an_nth() -> None:
    assert played(60, 5, 65, 125) == [1.0, 1.0]


def test_time_that_steps_back_is_due_at_once() -> None:
    assert played(1, 5, 7, 6, 8) == [2.0, 1.0]


def test_jump_of_days_is_cut_and_the_pace_goes_on_from_there() -> None:
    assert played(1, 5, 6, 1_000_000, 1_000_001) == [1.0, WAIT_S_MAX, 1.0]


def facts(first_ns: int, last_ns: int, absolute: bool) -> Facts:
    return Facts("csv", first_ns, last_ns, absolute, 1, 1, ("Vehicle.Speed",), (), ())


def test_drive_with_absolute_time_starts_at_its_own() -> None:
    assert start_ms(facts(1_600_000_000_123_000_000, 1_600_000_001 * SECOND, True), 0) == (
        1_600_000_000_123
    )


def test_drive_without_absolute_time_keeps_its_place_within_the_second() -> None:
    start = start_ms(facts(250_000_000, 10 * SECOND, False), 1_700_000_000_000)

    assert start % 1_000 == 250
    assert 0 <= 1_700_000_000_000 - (start + 9_750) < 1_000
