"""Distance by odometer: readings of one instrument of one source, never mixed."""

from dataclasses import dataclass

import numpy as np

from exchange.derive.distance import too_fast
from exchange.derive.samples import ODOMETER, ODOMETER_FINE, Flags, Int64s, Samples
from exchange.derive.thresholds import Thresholds

_MM_PER_M = 1000
_READING_MAX_M = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Odometer:
    """At least two readings in m, ascending by time; the n - 1 steps between them are judged."""

    times: Int64s
    readings_m: Int64s
    set_back: Flags
    leap: Flags
    """Farther than any vehicle drives in the time."""

    @property
    def driven_mm(self) -> int:
        """The sum of the steps that are neither back nor a leap."""
        return int(self.steps_mm.sum())

    @property
    def steps_mm(self) -> Int64s:
        """Millimetres of each step; 0 where it is no way that was driven."""
        steps = np.diff(self.readings_m) * _MM_PER_M
        driven: Int64s = np.where(self.set_back | self.leap, 0, steps)
        return driven


def odometer_of(samples: Samples, limits: Thresholds) -> Odometer | None:
    """The instrument with the most readings, the finer one and the first source among equals."""
    best: Int64s | None = None
    signal = ODOMETER_FINE
    for candidate in (ODOMETER_FINE, ODOMETER):
        series = samples.series[candidate]
        usable = series.present & (series.values >= 0) & (series.values <= _READING_MAX_M)
        for source in np.unique(samples.sources[usable]):
            rows = np.flatnonzero(usable & (samples.sources == source))
            if best is None or len(rows) > len(best):
                best, signal = rows, candidate
    if best is None or len(best) < 2:
        return None
    return _judged(samples.times[best], samples.series[signal].values[best], limits)


def _judged(times: Int64s, readings_m: Int64s, limits: Thresholds) -> Odometer:
    steps_m = np.diff(readings_m)
    beyond_mm = (steps_m - limits.odometer_slack_m) * _MM_PER_M
    leap = (beyond_mm > 0) & too_fast(beyond_mm, np.diff(times), limits.jump_speed)
    return Odometer(times, readings_m, steps_m < 0, leap)
