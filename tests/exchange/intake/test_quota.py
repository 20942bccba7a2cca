"""Quotas of devices and carriers: rates by a clock that the test holds."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.intake.model import Message
from exchange.intake.quota import MESSAGE_BYTES, Quota, Rate, Rates, RefusalPace, Sorted
from schemas.wire.topics import segment_topic
from tests.exchange.intake.trucks import NOW

WANTED = 10


def sent(device: str, times: int = 1, carrier: str = "acme", size: int = 100) -> list[Message]:
    return [Message(segment_topic(carrier, device), bytes(size), NOW)] * times


def quota(
    device_per_s: float = 1.0, carrier_per_s: float = 0, workers: int = 1, standing_s: float = 0
) -> Quota:
    return Quota(Rates(device_per_s, carrier_per_s, workers, standing_s))


def figures(parted: Sorted) -> tuple[int, int]:
    return len(parted.within), len(parted.over)


def test_while_nothing_waits_everything_is_taken() -> None:
    door = quota()

    for now in range(100):
        assert figures(door.sort(sent("noisy", 9), WANTED, now / 100)) == (9, 0)


def test_one_full_batch_is_no_queue_yet() -> None:
    door = quota(standing_s=1)

    assert figures(door.sort(sent("noisy", 100), 100, 0.0)) == (100, 0)
    assert figures(door.sort(sent("noisy", 100), 100, 0.9)) == (100, 0)
    assert figures(door.sort(sent("noisy", 99), 100, 1.0)) == (99, 0)
    assert figures(door.sort(sent("noisy", 100), 100, 1.1)) == (100, 0)
    assert figures(door.sort(sent("noisy", 100), 100, 2.1)) == (1, 99)


def test_a_noisy_device_is_let_go_and_quiet_ones_are_not() -> None:
    door = quota()
    quiet = [message for n in range(20) for message in sent(f"quiet-{n}")]

    parted = door.sort(sent("noisy", 100) + quiet, WANTED, 0.0)

    assert parted.within == sent("noisy", 32) + quiet
    assert parted.over == sent("noisy", 68)


def test_what_came_while_nothing_waited_counts_later() -> None:
    door = quota()
    door.sort(sent("noisy", 9 * 32), 9 * 32 + 1, 0.0)

    assert figures(door.sort(sent("noisy", 50), WANTED, 0.0)) == (0, 50)
    assert figures(door.sort(sent("noisy", 50), WANTED, 5.0)) == (5, 45)


def test_a_large_message_counts_as_several() -> None:
    door = quota()

    large = sent("noisy", 10, size=8 * MESSAGE_BYTES)

    assert figures(door.sort(large, WANTED, 0.0)) == (4, 6)


def test_few_large_messages_are_a_full_batch_too() -> None:
    door = quota()

    parted = door.sort(sent("noisy", 64, size=16 * MESSAGE_BYTES), 1_000, 0.0)

    assert figures(parted) == (2, 62)


def test_a_carrier_is_held_to_its_quota_while_another_waits() -> None:
    door = quota(device_per_s=0, carrier_per_s=1)
    many = [message for n in range(100) for message in sent(f"dev-{n}")]

    parted = door.sort(many + sent("dev-1", 3, "other"), WANTED, 0.0)

    assert figures(parted) == (35, 68)
    assert parted.within[-3:] == sent("dev-1", 3, "other")


def test_a_carrier_that_is_alone_has_the_whole_exchange() -> None:
    door = quota(device_per_s=0, carrier_per_s=1)
    door.sort(sent("dev-1", 1, "other"), WANTED, 0.0)

    assert figures(door.sort(sent("dev-1", 100), WANTED, 59.0)) == (32, 68)
    assert figures(door.sort(sent("dev-1", 100), WANTED, 61.0)) == (100, 0)


def test_workers_share_a_rate() -> None:
    door = quota(device_per_s=1_000, workers=4)
    door.sort(sent("noisy", 2_500), WANTED, 0.0)

    assert figures(door.sort(sent("noisy", 1_000), WANTED, 1.0)) == (250, 750)


def test_without_a_rate_there_is_no_quota() -> None:
    door = quota(device_per_s=0)

    assert figures(door.sort(sent("noisy", 10_000), WANTED, 0.0)) == (10_000, 0)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), max_size=60),
    st.floats(0.5, 50),
    st.integers(4, 40),
)
def test_no_time_sees_more_than_a_burst_and_the_rate(
    asked: list[tuple[float, int]], per_s: float, burst: int
) -> None:
    rate = Rate(per_s, burst)
    now = 0.0
    taken: list[tuple[float, int]] = []
    for wait_s, units in asked:
        now += wait_s
        if rate.has_room("device", units, now):
            rate.charge("device", units, now)
            taken.append((now, units))

    for first, (begin, _) in enumerate(taken):
        for last in range(first, len(taken)):
            units = sum(units for _, units in taken[first : last + 1])
            assert units <= burst + (taken[last][0] - begin) * per_s + 1e-3


def test_a_rate_remembers_a_bounded_number_of_names() -> None:
    rate = Rate(1, 1, names_max=100)
    for name in range(10_000):
        rate.charge(name, 1, 0.0)

    assert len(rate) <= 100


def test_few_of_those_that_were_let_go_are_answered() -> None:
    pace = RefusalPace()
    flood = sent("noisy", 500)
    fleet = [message for n in range(500) for message in sent(f"dev-{n}")]

    assert pace.answered(flood, 0.0) == flood[:1]
    assert pace.answered(flood, 4.9) == []
    assert pace.answered(flood, 5.0) == flood[:1]
    assert len(pace.answered(fleet, 6.0)) == 50
