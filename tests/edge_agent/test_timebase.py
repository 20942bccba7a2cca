from hypothesis import given
from hypothesis import strategies as st

from edge_agent.timebase import UNVOUCHED, ClockQuality, Timebase
from schemas.segment import CLOCK_GNSS, CLOCK_NTP, CLOCK_RTC

WEEKS_MS = 1_229_637_566.0


def test_a_wrong_bus_clock_is_put_right_by_three_agreeing_times() -> None:
    timebase = Timebase()
    steps = [
        timebase.observe_gnss(t, t + WEEKS_MS + noise, 500)
        for t, noise in ((0, 0), (100, 30), (200, -20))
    ]

    assert steps == [0, 0, WEEKS_MS]
    assert timebase.quality == ClockQuality(CLOCK_GNSS, 500)
    assert timebase.utc_ms(300) == 300 + WEEKS_MS


def test_one_strange_time_moves_nothing() -> None:
    timebase = Timebase()
    for t in range(0, 1_000, 100):
        timebase.observe_gnss(t, t, 500)

    assert timebase.observe_gnss(1_000, 1_000 + WEEKS_MS, 500) == 0
    assert timebase.observe_gnss(1_100, 1_100, 500) == 0
    assert timebase.observe_gnss(1_200, 1_200 + 2 * WEEKS_MS, 500) == 0
    assert abs(timebase.offset_ms) < 1


@given(st.lists(st.floats(-400, 400), min_size=200, max_size=200))
def test_jitter_of_a_receiver_never_steps_the_clock(jitter: list[float]) -> None:
    timebase = Timebase()
    steps = [timebase.observe_gnss(t * 1_000, t * 1_000 + j, 500) for t, j in enumerate(jitter)]

    assert set(steps) == {0}
    assert abs(timebase.offset_ms) <= 400


def test_a_drifting_clock_is_followed_without_steps() -> None:
    timebase = Timebase()
    for t in range(3_600):
        assert timebase.observe_gnss(t * 1_000, t * 1_000 * (1 + 68e-6), 500) == 0

    assert abs(timebase.utc_ms(3_600_000) - 3_600_000 * (1 + 68e-6)) < 20


def test_network_time_is_not_disturbed_by_sentences() -> None:
    timebase = Timebase(0, ClockQuality(CLOCK_NTP, 10))

    assert [timebase.observe_gnss(t, t + WEEKS_MS, 500) for t in range(5)] == [0] * 5


def test_satellite_time_outranks_a_clock_that_nobody_keeps_but_not_network_time() -> None:
    timebase = Timebase(0, UNVOUCHED)
    for t in range(3):
        timebase.observe_gnss(t, t + WEEKS_MS, 500)

    assert timebase.follow_system(5, ClockQuality(CLOCK_RTC, 99)) == 0
    assert timebase.offset_ms == WEEKS_MS
    assert timebase.follow_system(WEEKS_MS + 100, ClockQuality(CLOCK_NTP, 9)) == 0
    assert timebase.quality.source == CLOCK_NTP


def test_a_system_clock_that_is_set_is_a_step() -> None:
    timebase = Timebase(0, ClockQuality(CLOCK_RTC, 99))

    assert timebase.follow_system(86_400_000, ClockQuality(CLOCK_NTP, 9)) == 86_400_000
