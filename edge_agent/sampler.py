"""One sample a second: of everything heard, what was true at each whole second.

Pure: time is what the caller says. A reading at time t belongs to the second ``ceil(t)``: the
sample labelled S speaks for (S - 1 s, S]. A value is sampled only while it is fresh, by the
signal's rule in the catalogue; a second in which nothing is fresh has no sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.catalogue import Signal

SECOND_MS = 1_000

_BUCKETS_MAX = 16
"""Seconds kept open ahead of the oldest unsampled one; readings further ahead are not taken."""

_MAGNITUDE_MAX = 1e12
"""No quantity of a vehicle is larger; sealing relies on steps that fit 64 bits."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The values at one whole second: UTC in ms, and stored integers by signal id."""

    t_ms: int
    cells: Mapping[int, int]


@dataclass(slots=True)
class _Heard:
    """What was heard of one signal within one second."""

    at_ms: float
    last: float
    total: float
    largest: float
    count: int = 1


@dataclass(slots=True)
class Sampler:
    """Turns readings into samples. ``catalogue`` maps signal ids to their rules."""

    catalogue: Mapping[int, Signal]
    late: int = 0
    """Readings that came after their second was sampled."""
    out_of_range: int = 0
    """Values that are no number, or larger than any measurement."""
    _sampled_s: int | None = None
    _heard: dict[int, dict[int, _Heard]] = field(default_factory=dict)
    _latest: dict[int, tuple[float, float]] = field(default_factory=dict)

    def offer(self, signal_id: int, at_ms: float, value: float) -> bool:
        """Take one reading (UTC ms, physical value); False when it is too late or too far ahead.

        A late one changes no sample that was told, but it may still be the newest that is known.
        """
        second = -int(-at_ms // SECOND_MS)
        if self._sampled_s is not None and not 0 < second - self._sampled_s <= _BUCKETS_MAX:
            self.late += 1
            if second <= self._sampled_s:
                self._remember({signal_id: _Heard(at_ms, value, value, value)})
            return False
        heard = self._heard.setdefault(second, {})
        known = heard.get(signal_id)
        if known is None:
            heard[signal_id] = _Heard(at_ms, value, value, value)
            return True
        if at_ms >= known.at_ms:
            known.at_ms, known.last = at_ms, value
        known.total += value
        known.largest = max(known.largest, value)
        known.count += 1
        return True

    def first_second(self) -> int | None:
        """The oldest second that has a reading and was not sampled yet; None without one."""
        return min(self._heard, default=None)

    def tick(self, second: int) -> Sample | None:
        """The sample of a whole second (UTC s); None when no value is fresh. Seconds ascend."""
        if self._sampled_s is not None and second <= self._sampled_s:
            raise ValueError("seconds are sampled once, in ascending order")
        for passed in sorted(s for s in self._heard if s < second):
            self._remember(self._heard.pop(passed))
        window = self._heard.pop(second, {})
        self._remember(window)
        self._sampled_s = second
        cells: dict[int, int] = {}
        for signal_id, (at_ms, last) in self._latest.items():
            signal = self.catalogue[signal_id]
            if second * SECOND_MS - at_ms <= signal.fresh_ms:
                self._store(cells, signal, _by_rule(signal.rule, window.get(signal_id), last))
        return Sample(second * SECOND_MS, cells) if cells else None

    def shift(self, step_ms: float) -> None:
        """The clock was wrong by ``step_ms``: move everything heard so far by that much."""
        moved = {i: (at_ms + step_ms, last) for i, (at_ms, last) in self._latest.items()}
        waiting = [(i, heard) for window in self._heard.values() for i, heard in window.items()]
        self._latest, self._heard, self._sampled_s = moved, {}, None
        for signal_id, heard in waiting:
            self.offer(signal_id, heard.at_ms + step_ms, heard.last)

    def _remember(self, window: Mapping[int, _Heard]) -> None:
        for signal_id, heard in window.items():
            known = self._latest.get(signal_id)
            if known is None or heard.at_ms >= known[0]:
                self._latest[signal_id] = (heard.at_ms, heard.last)

    def _store(self, cells: dict[int, int], signal: Signal, value: float) -> None:
        if not -_MAGNITUDE_MAX <= value <= _MAGNITUDE_MAX:  # nan fails too
            self.out_of_range += 1
            return
        cells[signal.id] = signal.encode(value)


def _by_rule(rule: str, heard: _Heard | None, last: float) -> float:
    if heard is None or rule in ("last", "counter"):
        return last
    return heard.largest if rule == "max" else heard.total / heard.count
