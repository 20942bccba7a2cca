import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulproof.bench.load.schedule import Rhythm, rhythms, slices


def test_rhythm_ends_before_its_end() -> None:
    assert Rhythm(1.0, 0.5, 3.0).times() == [1.0, 1.5, 2.0, 2.5]


def test_rhythm_that_would_begin_at_its_end_sends_nothing() -> None:
    assert Rhythm(3.0, 0.5, 3.0).times() == []


@given(
    first_s=st.floats(min_value=0, max_value=100),
    period_s=st.floats(min_value=0.01, max_value=10),
    lasts_s=st.floats(min_value=0, max_value=50),
)
def test_times_ascend_from_the_first_and_stay_within_the_rhythm(
    first_s: float, period_s: float, lasts_s: float
) -> None:
    times = Rhythm(first_s, period_s, first_s + lasts_s).times()

    assert times == sorted(times)
    assert all(first_s <= time < first_s + lasts_s for time in times)
    assert abs(len(times) - lasts_s / period_s) <= 1


@given(
    devices=st.integers(min_value=1, max_value=200),
    rate=st.floats(min_value=10, max_value=5_000),
)
def test_fleet_sends_at_the_rate_that_was_asked_for(devices: int, rate: float) -> None:
    seconds = 4.0
    sent = sum(len(one.times()) for one in rhythms(devices, rate, 0.0, seconds))

    assert abs(sent - rate * seconds) <= devices


def test_devices_send_in_turns_and_not_in_step() -> None:
    fleet = rhythms(50, 50, 0.0, 20.0)
    sends = sorted((time, device) for device, one in enumerate(fleet) for time in one.times())
    order = [device for _, device in sends]

    assert max(order.count(device) for device in range(50)) <= 20
    assert all(len(set(order[start : start + 50])) == 50 for start in range(0, 500, 50))
    assert order[:50] != sorted(order[:50])


def test_a_schedule_is_the_same_each_time() -> None:
    assert rhythms(7, 3.0, 1.0, 9.0) == rhythms(7, 3.0, 1.0, 9.0)


@pytest.mark.parametrize(("devices", "rate"), [(0, 1.0), (1, 0.0)])
def test_load_of_nobody_or_nothing_is_refused(devices: int, rate: float) -> None:
    with pytest.raises(ValueError, match="needs devices and a rate"):
        rhythms(devices, rate, 0.0, 1.0)


@given(
    segments=st.integers(min_value=1, max_value=2_000_000),
    devices=st.integers(min_value=1, max_value=10_000),
    segments_max=st.integers(min_value=10_000, max_value=200_000),
)
def test_slices_hold_what_was_asked_for_and_none_is_too_large(
    segments: int, devices: int, segments_max: int
) -> None:
    sent = [each * devices for each in slices(segments, devices, segments_max)]

    assert segments <= sum(sent) < segments + devices
    assert 0 < min(sent) <= max(sent) <= segments_max


def test_fleet_larger_than_a_slice_sends_one_segment_each() -> None:
    assert slices(30, devices=10, segments_max=5) == [1, 1, 1]
