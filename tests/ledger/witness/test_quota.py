"""A log may ask in bursts, and in the long run as often as it may."""

import pytest

from ledger.witness.judgement import KnownLog
from ledger.witness.quota import BURST, AskedTooOften, LogQuota

LOGS = {name: KnownLog(name, (), 86_400) for name in ("a", "b")}


def test_a_burst_is_let_through_and_then_one_a_second() -> None:
    quota = LogQuota(LOGS, now_s=0.0)
    for _ in range(BURST):
        quota.take("a", 0.0)

    with pytest.raises(AskedTooOften) as refused:
        quota.take("a", 0.0)
    assert refused.value.retry_after_s >= 1
    quota.take("a", 1.5)
    with pytest.raises(AskedTooOften):
        quota.take("a", 1.5)


def test_a_log_that_asks_too_often_uses_up_nothing_of_another() -> None:
    quota = LogQuota(LOGS, now_s=0.0)
    for _ in range(BURST):
        quota.take("a", 0.0)

    quota.take("b", 0.0)


def test_what_was_not_asked_for_long_is_one_burst() -> None:
    quota = LogQuota(LOGS, now_s=0.0)
    for _ in range(BURST):
        quota.take("a", 1e9)

    with pytest.raises(AskedTooOften):
        quota.take("a", 1e9)
