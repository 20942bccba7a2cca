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
        due = plan.next_due_ms()
        assert due is not None
        waits.append(due - now)
        now = due

    assert waits[:3] == [30_000, 60_000, 120_000]
    assert waits[-1] == 3_600_000


def test_jitter_spreads_a_fleet() -> None:
    plan = delivery(jitter=1.0)
    plan.add([1], 0)
    plan.sent(1, 0)

    assert plan.next_due_ms() == 37_500


def test_the_window_bounds_what_is_on_its_way() -> None:
    plan = delivery(window=2)
    plan.add([1, 2], 0)

    assert plan.room() == 0
    plan.settled([1])
    assert plan.room() == 1


def test_what_is_put_off_does_not_hold_up_the_rest() -> None:
    plan = delivery(window=1)
    plan.add([1], 0)
    plan.postponed(1, 0)

    assert plan.room() == 1
    assert plan.due(29_999, 9) == []
    assert plan.due(30_000, 9) == [1]


def test_a_new_session_waits_less_long_for_receipts_that_may_have_passed_by() -> None:
    plan = delivery()
    plan.add([1], 0)
    plan.sent(1, 0)
    plan.reconnected(1_000)

    assert plan.next_due_ms() == 4_000


@given(st.lists(st.sampled_from(["sent", "postponed", "settled", "reconnected"]), max_size=40))
def test_only_settling_ends_a_statement(steps: list[str]) -> None:
    plan = delivery()
    plan.add([1], 0)
    settled = False
    for now, step in enumerate(steps):
        if step == "sent":
            plan.sent(1, now)
        elif step == "postponed":
            plan.postponed(1, now)
        elif step == "reconnected":
            plan.reconnected(now)
        else:
            plan.settled([1])
            settled = True

    assert (plan.next_due_ms() is None) is settled
    assert (plan.due(1e12, 1) == []) is settled
