"""What came of a live load, segment by segment, and what can be said of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Heard(NamedTuple):
    """One segment of a live load; times in s from the load's begin, None for what never came."""

    device: int
    due_s: float
    digest: bytes
    sent_s: float | None
    receipt_s: float | None
    leaf_index: int | None
    """The leaf that the receipt names."""

    @property
    def latency_s(self) -> float | None:
        """From when it was to be sent to its receipt; None without one."""
        return None if self.receipt_s is None else self.receipt_s - self.due_s

    @property
    def late_s(self) -> float | None:
        """How late it was sent for the first time."""
        return None if self.sent_s is None else max(0.0, self.sent_s - self.due_s)


@dataclass(frozen=True, slots=True)
class LiveLoad:
    """Everything that a live load's devices saw."""

    heard: list[Heard]
    sent_again: int
    reconnected: int
    given_up: int
    """Due, and never sent: by devices that keep no backlog."""


def due_between(heard: Iterable[Heard], from_s: float, until_s: float) -> list[Heard]:
    """The segments that were to be sent in [from, until)."""
    return [one for one in heard if from_s <= one.due_s < until_s]


def receipted_between(heard: Iterable[Heard], from_s: float, until_s: float) -> int:
    """How many receipts came in [from, until)."""
    times = (one.receipt_s for one in heard if one.receipt_s is not None)
    return sum(from_s <= time < until_s for time in times)


def seconds_to_recover(
    heard: Iterable[Heard], load_end_s: float, latency_max_s: float
) -> float | None:
    """From the load's end until every later segment has its receipt within ``latency_max_s``.

    Counted to the moment at which the first such segment was to be sent: 0 when none was late.
    None when the last one was still late, or nothing was sent after the load.
    """
    after = sorted((one for one in heard if one.due_s >= load_end_s), key=lambda one: one.due_s)
    recovered_s: float | None = None
    for one in reversed(after):
        latency_s = one.latency_s
        if latency_s is None or latency_s > latency_max_s:
            return None if recovered_s is None else recovered_s - load_end_s
        recovered_s = one.due_s
    return None if recovered_s is None else 0.0


def backlog_gone_after_s(heard: Iterable[Heard], load_end_s: float) -> float | None:
    """From the load's end to the last receipt of what was sent of it; None when one never came."""
    times = [one.receipt_s for one in heard if one.sent_s is not None and one.due_s < load_end_s]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return None
    return max(0.0, max(known, default=load_end_s) - load_end_s)
