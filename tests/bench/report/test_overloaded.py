from haulproof.bench.load.heard import Heard, LiveLoad
from haulproof.bench.load.overloads import Phases
from haulproof.bench.report.overloaded import outcome

WHEN = Phases(10.0, 20.0, 60.0)
QUIET, LOUD = 0, 1


def heard(device: int, due_s: float, sent_s: float | None, receipt_s: float | None) -> Heard:
    return Heard(device, due_s, b"", sent_s, receipt_s, None)


LOAD = LiveLoad(
    heard=[
        heard(QUIET, 5.0, 5.0, 5.1),
        heard(QUIET, 12.0, 12.0, 14.0),
        heard(QUIET, 18.0, 18.0, 21.0),
        heard(QUIET, 21.0, 21.0, 23.0),
        heard(QUIET, 24.0, 24.0, 24.5),
        heard(LOUD, 11.0, 11.0, 12.0),
        heard(LOUD, 12.0, 19.0, 30.0),
        heard(LOUD, 13.0, 25.0, None),
        heard(LOUD, 14.0, None, None),
    ],
    sent_again=3,
    reconnected=2,
    given_up=1,
)


def test_rates_are_those_of_the_seconds_of_the_load() -> None:
    told = outcome(LOAD, {QUIET}, WHEN)

    assert (told["offered_per_s"], told["sent_per_s"], told["receipts_per_s"]) == (0.6, 0.4, 0.2)


def test_what_was_sent_without_receipt_is_counted_and_what_was_never_sent_is_not() -> None:
    told = outcome(LOAD, {QUIET}, WHEN)

    assert (told["segments_sent"], told["receipts"], told["without_receipt"]) == (8, 7, 1)
    assert (told["sent_again"], told["given_up"], told["reconnected"]) == (3, 1, 2)


def test_share_of_quiet_devices_counts_what_was_receipted_while_the_load_lasted() -> None:
    told = outcome(LOAD, {QUIET}, WHEN)

    assert told["quiet_share"] == 0.5
    assert told["quiet_receipt_ms_before"]["count"] == 1
    assert told["quiet_receipt_ms_during"]["max"] == 3_000.0


def test_recovery_is_judged_by_quiet_devices_and_the_backlog_by_all() -> None:
    told = outcome(LOAD, {QUIET}, WHEN)

    assert told["seconds_to_recover"] == 4.0
    assert told["backlog_gone_after_s"] is None


def test_load_without_quiet_segments_has_no_share() -> None:
    told = outcome(LOAD, set(), WHEN)

    assert told["quiet_share"] is None
    assert told["seconds_to_recover"] is None
