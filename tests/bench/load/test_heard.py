import pytest

from haulproof.bench.load.heard import (
    Heard,
    backlog_gone_after_s,
    due_between,
    receipted_between,
    seconds_to_recover,
)


def heard(due_s: float, receipt_s: float | None, sent_s: float | None = 0.0) -> Heard:
    return Heard(0, due_s, b"", sent_s, receipt_s, None if receipt_s is None else 1)


def test_latency_counts_from_when_it_was_to_be_sent() -> None:
    one = heard(2.0, 5.5, sent_s=4.0)

    assert one.latency_s == 3.5
    assert one.late_s == 2.0


def test_what_was_sent_a_moment_early_is_not_late() -> None:
    assert heard(2.0, None, sent_s=1.999).late_s == 0.0


def test_windows_take_their_begin_and_not_their_end() -> None:
    load = [heard(1.0, 2.0), heard(2.0, 3.0), heard(3.0, None)]

    assert due_between(load, 1.0, 2.0) == load[:1]
    assert receipted_between(load, 2.0, 3.0) == 1


@pytest.mark.parametrize(
    ("latencies", "recovered"),
    [
        ([0.1, 0.1, 0.1], 0.0),
        ([5.0, 0.9, 0.1], 1.5),
        ([0.1, 5.0, 0.1], 2.5),
        ([5.0, 5.0, 1.0], 2.5),
        ([0.1, 0.1, 5.0], None),
        ([0.1, 0.1, None], None),
        ([None, 0.1, 0.1], 1.5),
        ([], None),
    ],
    ids=[
        "never-late",
        "first-late",
        "late-again",
        "just-in-time",
        "last-late",
        "last-lost",
        "first-lost",
        "nothing-after",
    ],
)
def test_recovered_is_from_when_every_later_segment_is_in_time(
    latencies: list[float | None], recovered: float | None
) -> None:
    load_end_s = 10.0
    dues = [load_end_s + 0.5 + n for n in range(len(latencies))]
    after = [
        heard(due_s, None if latency_s is None else due_s + latency_s)
        for due_s, latency_s in zip(dues, latencies, strict=True)
    ]
    during = [heard(9.0, 99.0)]

    assert seconds_to_recover([*reversed(after), *during], load_end_s, 1.0) == recovered


def test_backlog_is_gone_with_the_last_receipt_of_the_load() -> None:
    load = [heard(1.0, 2.0), heard(9.0, 14.0), heard(11.0, 40.0), heard(8.0, None, sent_s=None)]

    assert backlog_gone_after_s(load, 10.0) == 4.0


def test_backlog_with_a_segment_that_never_came_is_never_gone() -> None:
    assert backlog_gone_after_s([heard(1.0, 2.0), heard(9.0, None)], 10.0) is None


def test_backlog_that_was_gone_before_the_end_took_no_time() -> None:
    assert backlog_gone_after_s([heard(1.0, 2.0)], 10.0) == 0.0
