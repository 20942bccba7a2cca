import pytest

from haulproof.bench.load.overloads import Phases, fleet_load, noisy_load, phases
from haulproof.bench.load.schedule import Sender

CAPACITY = 1_000.0
WHEN = Phases(5.0, 20.0, 80.0)


def per_s(senders: list[Sender], from_s: float, until_s: float) -> float:
    times = [time for one in senders for time in one.rhythm.times()]
    return sum(from_s <= time < until_s for time in times) / (until_s - from_s)


def steady(senders: list[Sender]) -> list[Sender]:
    return [one for one in senders if one.rhythm.until_s == WHEN.end_s]


@pytest.mark.parametrize("load", [fleet_load, noisy_load])
def test_every_device_sends_in_one_role(load: object) -> None:
    senders = (fleet_load if load is fleet_load else noisy_load)(20, CAPACITY, WHEN)

    assert sorted(one.device for one in senders) == list(range(20))


def test_fleet_offers_three_times_the_capacity_only_while_the_load_lasts() -> None:
    senders = fleet_load(100, CAPACITY, WHEN)

    assert per_s(senders, 0.0, 5.0) == pytest.approx(40, rel=0.1)
    assert per_s(senders, 5.0, 20.0) == pytest.approx(3_000, rel=0.02)
    assert per_s(senders, 20.0, 80.0) == pytest.approx(40, rel=0.02)


def test_overloading_devices_keep_what_they_could_not_send_and_have_no_more_room_than_agents() -> (
    None
):
    loud = [one for one in fleet_load(100, CAPACITY, WHEN) if one not in steady([one])]

    assert len(loud) == 80
    assert all(one.keeps_backlog and one.in_flight == 8 for one in loud)


def test_one_device_floods_alone_and_gives_up_what_it_could_not_send() -> None:
    senders = noisy_load(50, CAPACITY, WHEN)
    (flood,) = [one for one in senders if one not in steady([one])]

    assert (flood.device, flood.keeps_backlog) == (49, False)
    assert flood.in_flight > 8
    assert per_s([flood], 5.0, 20.0) == pytest.approx(3_000, rel=0.02)
    assert per_s(steady(senders), 0.0, 80.0) == pytest.approx(200, rel=0.02)


@pytest.mark.parametrize("devices", [2, 3])
def test_smallest_fleet_has_a_quiet_and_a_loud_device(devices: int) -> None:
    senders = fleet_load(devices, CAPACITY, WHEN)

    assert 0 < len(steady(senders)) < devices


def test_quiet_devices_go_on_for_at_most_a_minute_after_the_load() -> None:
    assert phases(15) == Phases(5.0, 20.0, 80.0)
    assert phases(3) == Phases(1.0, 4.0, 16.0)
