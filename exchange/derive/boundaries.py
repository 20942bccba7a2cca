"""Where trips start and end among one vehicle's samples (DESIGN section 6).

    parked --- ignition, engine, or speed for 5 s ---> open
    open ----- quiet for 300 s, 24 h ----------------> parked, everything up to the decision settled
    either --- end of source, 3,600 s of silence ----> parked, everything before settled

Every arrow into *parked* and into *open* forgets what was before: from the first sample of an open
trip onwards the same samples give the same boundaries, whatever came earlier.
"""

from dataclasses import dataclass

import numpy as np

from exchange.derive.motion import (
    Motion,
    engine_runs,
    ignition_on,
    last_present,
    motion_of,
    still_runs,
)
from exchange.derive.samples import Samples
from exchange.derive.thresholds import Thresholds
from schemas.statements.trip_content import EndRule, StartRule

_FIRST_REACH_MS = 7_200_000
"""How far ahead an open trip is first looked at; four times as far each time it stays open."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A trip, or what might have been one: rows ``first`` to ``last``, both included.

    ``stop`` is the row behind the last one that decided.
    """

    first: int
    last: int
    stop: int
    start_rule: StartRule
    end_rule: EndRule
    settled_ms: int
    """Samples up to here belong to it, later ones to what follows."""
    decided_ms: int
    """Samples up to here decided."""


@dataclass(frozen=True, slots=True)
class Boundaries:
    """What ended, in order, and up to when it is settled (None: nothing is)."""

    closed: tuple[Closed, ...]
    settled_ms: int | None
    judged_ms: int | None
    """What is settled rests on samples and events up to here; later ones cannot change it."""
    open_from_ms: int | None
    """First sample of a trip that has not ended."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Samples with neither an end of source nor a silence inside; ``ending`` when one follows."""

    begin: int
    end: int
    ending: tuple[EndRule, int] | None


def find_boundaries(samples: Samples, source_ends: list[int], limits: Thresholds) -> Boundaries:
    """Walk over the samples; ``source_ends`` are the times of end-of-source events, ascending."""
    closed: list[Closed] = []
    settled: int | None = None
    judged: int | None = None
    open_from: int | None = None
    for span in _spans(samples, source_ends, limits):
        walk = _Walk(samples[span.begin : span.end], span.begin, span.ending, limits)
        closed.extend(walk.closed())
        if walk.settled:
            settled = int(samples.times[span.begin + walk.settled - 1])
            judged = walk.judged_ms
        open_from = walk.open_from_ms
    return Boundaries(tuple(closed), settled, judged, open_from)


def _spans(samples: Samples, source_ends: list[int], limits: Thresholds) -> list[_Span]:
    silent = np.flatnonzero(np.diff(samples.times) > limits.silence_ms) + 1
    cuts = {int(cut): (EndRule.NO_DATA, int(samples.times[cut])) for cut in silent}
    for at_ms in reversed(source_ends):  # the first of several without samples between them
        cuts[samples.first_after(at_ms)] = (EndRule.SOURCE_ENDED, at_ms)
    cuts.pop(0, None)
    spans, begin = [], 0
    for cut in sorted(cuts):
        spans.append(_Span(begin, cut, cuts[cut]))
        begin = cut
    if begin < len(samples):
        spans.append(_Span(begin, len(samples), None))
    return spans


class _Walk:
    """One span, from its first sample on."""

    def __init__(
        self,
        span: Samples,
        offset: int,
        ending: tuple[EndRule, int] | None,
        limits: Thresholds,
    ) -> None:
        self._span = span
        self._offset = offset
        self._ending = ending
        self._limits = limits
        self.settled = 0
        """Rows of the span that are settled."""
        self.judged_ms: int | None = None
        self.open_from_ms: int | None = None

    def closed(self) -> list[Closed]:
        """Everything that ended within the span."""
        found = []
        while self.settled < len(self._span):
            start = self._start()
            if start is None:
                break
            closed = self._close(*start)
            if closed is None:
                self.open_from_ms = int(self._span.times[start[0]])
                break
            found.append(closed)
            self.settled = self._span.first_after(closed.settled_ms)
            self.judged_ms = closed.decided_ms
        return found

    def _start(self) -> tuple[int, StartRule] | None:
        """The next start; pieces of idle time before it are settled on the way."""
        span, limits = self._span, self._limits
        begin = self.settled
        while begin < len(span):
            piece_end = int(span.times[begin]) + limits.idle_ms
            seen = span.first_from(piece_end + limits.lookahead_ms)
            stop = len(span) if seen == len(span) else span.first_after(int(span.times[seen]))
            start = _first_start(span[begin:stop], limits)
            if start is not None and start[0] <= piece_end:
                if start[0] == span.times[begin]:
                    return begin, start[1]
                begin = span.first_from(start[0])  # again from there, with nothing held from before
                continue
            if seen == len(span) and self._ending is None:
                return None
            begin = self.settled = span.first_after(piece_end)
            self.judged_ms = int(span.times[stop - 1])
            if seen == len(span) and self._ending is not None:
                self.judged_ms = self._ending[1]
        return None

    def _close(self, first: int, rule: StartRule) -> Closed | None:
        reach_ms = _FIRST_REACH_MS
        while True:
            stop = self._span.first_after(int(self._span.times[first]) + reach_ms)
            part = self._span[first:stop]
            whole = stop == len(self._span)
            end = _End.of(part, self._ending if whole else None, self._limits)
            if end is not None:
                return self._closed(first, part, rule, end)
            if whole:
                return None
            reach_ms *= 4

    def _closed(self, first: int, part: Samples, rule: StartRule, end: "_End") -> Closed:
        begin = self._offset + first
        return Closed(
            first=begin,
            last=begin + end.last,
            stop=begin + part.first_after(end.decided_ms),
            start_rule=rule,
            end_rule=end.rule,
            settled_ms=end.settled_ms,
            decided_ms=end.decided_ms,
        )


@dataclass(frozen=True, slots=True)
class _Decision:
    """A trip ends with row ``last``; row ``deciding`` is the one that showed it."""

    deciding: int
    last: int
    rule: EndRule


@dataclass(frozen=True, slots=True)
class _End:
    last: int
    rule: EndRule
    settled_ms: int
    decided_ms: int

    @classmethod
    def of(
        cls, part: Samples, ending: tuple[EndRule, int] | None, limits: Thresholds
    ) -> "_End | None":
        """How the trip that opens with the first sample ends, if these samples tell."""
        motion = motion_of(part, limits)
        decisions = [*_quiet_end(part, motion, limits), *_longest(part, limits)]
        if not decisions:
            return cls._by(ending, part, motion) if ending else None
        decision = min(decisions, key=lambda one: one.deciding)
        settled_ms = int(part.times[decision.deciding])
        seen = part.first_from(settled_ms + limits.lookahead_ms)
        if seen < len(part):
            return cls(decision.last, decision.rule, settled_ms, int(part.times[seen]))
        return cls(decision.last, decision.rule, settled_ms, ending[1]) if ending else None

    @classmethod
    def _by(cls, ending: tuple[EndRule, int], part: Samples, motion: Motion) -> "_End":
        last, rule = _last_before(part, motion, ending[0])
        return cls(last, rule, int(part.times[-1]), ending[1])


def _first_start(part: Samples, limits: Thresholds) -> tuple[int, StartRule] | None:
    """The earliest start's time; at the same time ignition goes before engine before speed."""
    signs = (
        (StartRule.IGNITION, ignition_on(part)),
        (StartRule.ENGINE, engine_runs(part, limits)),
        (StartRule.SPEED, motion_of(part, limits).moving),
    )
    found = [(int(part.times[np.argmax(sign)]), rule) for rule, sign in signs if sign.any()]
    return min(found, default=None)


def _quiet_end(part: Samples, motion: Motion, limits: Thresholds) -> list[_Decision]:
    """The first quiet that lasts long enough."""
    quiet = ~motion.moving & ~motion.engine_on
    for first, behind, on_to_next in still_runs(quiet, motion.displaced):
        enough_ms = int(part.times[first]) + limits.end_ms
        until = behind if on_to_next and behind < len(part) else behind - 1
        if part.times[until] >= enough_ms:
            deciding = part.first_from(enough_ms)
            return [_Decision(deciding, _before_quiet(motion, first), _quiet_rule(motion, first))]
    return []


def _longest(part: Samples, limits: Thresholds) -> list[_Decision]:
    last = part.first_after(int(part.times[0]) + limits.longest_ms) - 1
    return [_Decision(last, last, EndRule.LONGEST)] if last + 1 < len(part) else []


def _last_before(part: Samples, motion: Motion, rule: EndRule) -> tuple[int, EndRule]:
    """The end when the source ended or fell silent; silence goes on with a quiet that had begun."""
    quiet = ~motion.moving & ~motion.engine_on
    if rule is EndRule.NO_DATA and quiet[-1]:
        first = still_runs(quiet, motion.displaced)[-1][0]
        return _before_quiet(motion, first), _quiet_rule(motion, first)
    return len(part) - 1, rule


def _before_quiet(motion: Motion, first: int) -> int:
    """The last sample that shows motion or a running engine before the quiet."""
    return max(int(last_present(motion.evident)[first - 1]), 0) if first else 0


def _quiet_rule(motion: Motion, first: int) -> EndRule:
    return EndRule.ENGINE_OFF if motion.engine_off[first] else EndRule.STANDING
