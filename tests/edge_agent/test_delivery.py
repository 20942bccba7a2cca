import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.delivery import Delivery


def delivery(window: int = 4, jitter: float = 0.0) -> Delivery:
    return Delivery(30_000, lambda: jitter, window)


def test_what_is_new_is_due_at_once_and_oldest_first() -> None:
    plan = delivery()
    plan.add([3, 1, 2], 0)

    assert plan.due(0, 2) == [1, 2]
    assert plan.newest == 3


def test_without_a_receipt_it_is_sent_again_ever_more_rarely() -> None:
    plan = delivery()
    plan.add([1], 0)
    waits = []
    now = 0.0
    for _ in range(12):
        plan.sent(1, now)
        due = plan.next_due_ms(now)
        assert due is not None
        waits.append(due - now)
        now = due

    assert waits[:3] == [30_000, 60_000, 120_000]
    assert waits[-1] == 3_600_000


def test_jitter_spreads_a_fleet() -> None:
    plan = delivery(jitter=1.0)
    plan.add([1], 0)
    plan.sent(1, 0)

    assert plan.next_due_ms(0) == 37_500


def test_the_window_bounds_what_is_on_its_way() -> None:
    plan = delivery(window=2)
    plan.add([1, 2], 0)

    assert plan.room(0) == 0
    plan.settled([1])
    assert plan.room(0) == 1


def test_what_is_put_off_does_not_hold_up_the_rest() -> None:
    plan = delivery(window=1)
    plan.add([1], 0)
    plan.postponed(1, 0)

    assert plan.room(0) == 1
    assert plan.due(29_999, 9) == []
    assert plan.due(30_000, 9) == [1]


def test_a_new_session_waits_less_long_for_receipts_that_may_have_passed_by() -> None:
    plan = delivery()
    plan.add([1], 0)
    plan.sent(1, 0)
    plan.reconnected(1_000)

    assert plan.next_due_ms(1_000) == 4_000


def flown(ids: range, window: int = 64) -> Delivery:
    """A plan whose window was opened by receipts, and whose statements were all sent at 0."""
    plan = delivery(window)
    earlier = range(1_000, 1_000 + window)
    plan.add(earlier, 0)
    plan.receipted(earlier, 0)
    plan.add(ids, 0)
    for statement_id in ids:
        plan.sent(statement_id, 0)
    return plan


def test_silence_halves_the_window_once_for_a_round() -> None:
    plan = flown(range(64))

    assert plan.room(30_000) == 64
    for statement_id in plan.due(30_000, 10):
        plan.sent(statement_id, 30_000)
    assert plan.room(30_000) == 22
    assert len(plan.due(30_000, 64)) == 22


def test_an_over_quota_refusal_says_what_silence_would_say_only_sooner() -> None:
    plan = flown(range(64))

    plan.over_quota(0, 500)
    plan.over_quota(1, 500)

    assert plan.due(500, 99) == []
    assert plan.next_due_ms(500) == 30_000
    assert plan.due(30_499, 99) == list(range(2, 34))


def test_the_window_never_closes() -> None:
    plan = flown(range(64))
    for now in range(30_000, 3_000_000, 30_000):
        for statement_id in plan.due(now, 99):
            plan.sent(statement_id, now)

    assert plan.room(9e9) == 8


def test_a_truck_begins_with_a_few_and_doubles_with_each_round_of_receipts() -> None:
    plan = delivery(window=64)
    assert plan.room(0) == 16
    plan.add(range(16), 0)
    plan.receipted(range(16), 0)

    assert plan.room(0) == 32


def test_a_window_that_was_too_large_once_grows_by_a_few_in_a_round() -> None:
    plan = flown(range(64))
    plan.over_quota(63, 500)
    plan.receipted(range(32), 1_000)

    assert plan.room(30_000) == 40


def test_a_receipt_lets_one_of_the_silent_go_at_once() -> None:
    plan = flown(range(4))
    for statement_id in plan.due(30_000, 99):
        plan.sent(statement_id, 30_000)
    plan.add([4, 5], 70_000)
    plan.sent(4, 70_000)
    plan.sent(5, 70_000)

    plan.receipted([4, 5], 71_000)

    assert plan.due(71_000, 99) == [0, 1]


def test_what_may_still_be_receipted_is_not_hurried() -> None:
    plan = flown(range(4))

    plan.receipted([3], 29_999)

    assert plan.due(29_999, 99) == []


def test_what_the_exchange_never_answers_is_not_hurried_for_ever() -> None:
    plan = delivery()
    plan.add([1], 0)
    now, hurried = 0.0, 0
    for other in range(2, 100):
        plan.sent(1, now)
        now += 30_000
        plan.add([other], now)
        plan.receipted([other], now)
        hurried += plan.due(now, 9) == [1]

    assert hurried == 8


def test_a_fleet_that_was_silenced_in_one_moment_does_not_speak_in_one() -> None:
    seconds: Counter[int] = Counter()
    for truck in range(1_000):
        plan = Delivery(30_000, random.Random(truck).random)
        plan.add([1], 0)
        now = 0.0
        for _ in range(3):
            plan.sent(1, now)
            now = plan.next_due_ms(now) or 0.0
        seconds[round(now / 1_000)] += 1

    assert max(seconds.values()) < 60


STEPS = ["sent", "postponed", "over quota", "other receipted", "settled", "reconnected"]


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_only_settling_ends_a_statement(steps: list[str]) -> None:
    plan = delivery()
    plan.add([1], 0)
    settled = False
    for now, step in enumerate(steps):
        if step == "sent":
            plan.sent(1, now)
        elif step == "postponed":
            plan.postponed(1, now)
        elif step == "over quota":
            plan.over_quota(1, now)
        elif step == "other receipted":
            plan.add([2], now)
            plan.receipted([2], now)
        elif step == "reconnected":
            plan.reconnected(now)
        else:
            plan.settled([1])
            settled = True

    assert (plan.next_due_ms(0) is None) is settled
    assert (plan.due(1e12, 1) == []) is settled
