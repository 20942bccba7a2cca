"""Observations in, samples out: clock discipline, choice of sender, sampling. Pure."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from edge_agent.observation import Observation
from edge_agent.sampler import SECOND_MS, Sample, Sampler
from edge_agent.selection import Selector
from edge_agent.timebase import STEP_MS, Timebase

START_MS = 2_500
"""The first seconds wait this long, until it is known whose odometer is believed."""

_VINS_MAX = 4
"""A bus names a truck and perhaps a trailer; one that names more is making them up."""

_SILENT_S = 60
"""After so many silent seconds nothing heard before is fresh, and the rest of a gap is skipped."""


class Step(NamedTuple):
    """The clock was corrected by ``step_ms``: all times told so far were off by that much."""

    step_ms: float


class Vin(NamedTuple):
    """The vehicle named itself, at a UTC time in ms."""

    at_ms: float
    text: str


Told = Sample | Step | Vin


@dataclass(slots=True)
class Pipeline:
    """Feeds one sampler from all sources. ``grace_ms``: how late a reading may come."""

    sampler: Sampler
    selector: Selector
    grace_ms: int
    readings: int = 0
    _begun_ms: float | None = None
    _second: int | None = None
    _vins: set[str] = field(default_factory=set)

    def feed(self, observation: Observation, timebase: Timebase, alone: bool) -> list[Told]:
        """Take an observation; they come in the order of their UTC times.

        ``alone``: this source's line is the only one in use, so that a step of its clock moves
        everything heard so far.
        """
        told: list[Told] = []
        if observation.gnss_ms is not None:
            step = timebase.observe_gnss(
                observation.stamp_ms, observation.gnss_ms, observation.gnss_uncertainty_ms
            )
            if step and alone:
                told.append(self.shift(step))
        at_ms = timebase.utc_ms(observation.stamp_ms)
        if self._begun_ms is None and observation.readings:
            self._begun_ms = at_ms
        told.extend(self.advance(at_ms))
        measured_ms = _measured_ms(observation, at_ms)
        for signal_id, value, sender in observation.readings:
            reading = self.selector.admit(signal_id, sender, measured_ms, value)
            if reading is not None:
                self.readings += self.sampler.offer(*reading)
        vin = observation.vin
        if vin is not None and vin not in self._vins and len(self._vins) < _VINS_MAX:
            self._vins.add(vin)
            told.append(Vin(at_ms, vin))
        return told

    def shift(self, step_ms: float) -> Step:
        """Correct the clock of everything heard so far."""
        self.sampler.shift(step_ms)
        self.selector.shift(step_ms)
        self._second = None
        if self._begun_ms is not None:
            self._begun_ms += step_ms
        return Step(step_ms)

    def advance(self, utc_ms: float) -> list[Told]:
        """Sample every whole second that is over by ``grace_ms`` at this UTC time."""
        if self._begun_ms is None or utc_ms < self._begun_ms + START_MS:
            return []
        return self._sample_to(int((utc_ms - self.grace_ms) // SECOND_MS))

    def finish(self) -> list[Told]:
        """The source has ended: sample what is left, the last second begun included."""
        told: list[Told] = []
        self._settle(math.inf)
        while (second := self.sampler.first_second()) is not None:
            told.extend(self._sample_to(second))
        return told

    def _closed_ms(self, second: int) -> float:
        """When a second is closed: the same time however its readings were batched."""
        begun_ms = -math.inf if self._begun_ms is None else self._begun_ms
        return max(second * SECOND_MS + self.grace_ms, begun_ms + START_MS)

    def _settle(self, at_ms: float) -> None:
        late = self.sampler.late
        for reading in self.selector.settle(at_ms):
            self.readings += self.sampler.offer(*reading)
        self.sampler.late = late  # these were in time; it is we who held them back

    def _sample_to(self, last: int) -> list[Told]:
        told: list[Told] = []
        if self._second is None:
            self._settle(self._closed_ms(last))
            first = self.sampler.first_second()
            if first is None:
                return told
            self._second = first
        ticks = 0
        while self._second <= last:
            if ticks == _SILENT_S:
                waiting = self.sampler.first_second()
                self._second = last if waiting is None else max(self._second, min(waiting, last))
            self._settle(self._closed_ms(self._second))
            sample = self.sampler.tick(self._second)
            ticks = 0 if sample else ticks + 1
            self._second += 1
            if sample:
                told.append(sample)
        return told


def _measured_ms(observation: Observation, at_ms: float) -> float:
    """A receiver's own epoch, unless the line is not disciplined to it yet."""
    epoch_ms = observation.epoch_ms
    return at_ms if epoch_ms is None or abs(epoch_ms - at_ms) > STEP_MS else epoch_ms
