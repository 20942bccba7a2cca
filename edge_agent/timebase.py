"""What time it is on the truck: stamps of one source mapped to UTC, disciplined by GNSS.

Pure. A stamp is a time in ms on the source's own line: frame time stamps in a replay, the local
monotonic clock on a live bus. The line is trusted for differences, not for the date: recorded
buses are wrong by seconds to weeks.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.segment import CLOCK_GNSS, CLOCK_NONE, CLOCK_NTP

UNKNOWN_UNCERTAINTY_MS = 315_360_000_000
"""Ten years: what can be said of a clock that nothing vouches for."""

STEP_MS = 1_000
"""A disagreement with GNSS past this is a step; below it the clock is slewed."""

_AGREEING = 3
_AGREE_MS = 500
_SLEW_SHARE = 16
_SLEW_MS_MAX = 20.0


class ClockQuality(NamedTuple):
    """Key 8 of a segment: source (0 none, 1 RTC, 2 NTP, 3 GNSS) and uncertainty in ms."""

    source: int
    uncertainty_ms: int


UNVOUCHED = ClockQuality(CLOCK_NONE, UNKNOWN_UNCERTAINTY_MS)


@dataclass(slots=True)
class Timebase:
    """UTC = stamp + ``offset_ms``, with the quality that may be stated for it."""

    offset_ms: float = 0.0
    quality: ClockQuality = UNVOUCHED
    _disagreeing: list[float] = field(default_factory=list)

    def utc_ms(self, stamp_ms: float) -> float:
        """The UTC time of a stamp, in ms, as far as is known now."""
        return stamp_ms + self.offset_ms

    def observe_gnss(self, stamp_ms: float, utc_ms: float, uncertainty_ms: int) -> float:
        """GNSS said ``utc_ms`` at ``stamp_ms``; returns the step taken in ms, 0 when none.

        One strange time moves nothing: a step takes three in a row that agree with each other.
        """
        if self.quality.source == CLOCK_NTP:
            return 0.0  # a sentence comes later than a packet of NTP
        offset = utc_ms - stamp_ms
        error = offset - self.offset_ms
        if abs(error) <= STEP_MS:
            self._disagreeing.clear()
            self.offset_ms += max(-_SLEW_MS_MAX, min(_SLEW_MS_MAX, error / _SLEW_SHARE))
            self.quality = ClockQuality(CLOCK_GNSS, uncertainty_ms)
            return 0.0
        self._disagreeing = [o for o in self._disagreeing if abs(o - offset) <= _AGREE_MS]
        self._disagreeing.append(offset)
        if len(self._disagreeing) < _AGREEING:
            return 0.0
        return self.step_to(sorted(self._disagreeing)[_AGREEING // 2], uncertainty_ms)

    def step_to(self, offset_ms: float, uncertainty_ms: int) -> float:
        """Take an offset known from GNSS; returns the step in ms."""
        step = offset_ms - self.offset_ms
        self.offset_ms = offset_ms
        self.quality = ClockQuality(CLOCK_GNSS, uncertainty_ms)
        self._disagreeing.clear()
        return step

    def follow_system(self, offset_ms: float, quality: ClockQuality) -> float:
        """The system clock says this; returns the step in ms. Better than GNSS only when by NTP."""
        if self.quality.source == CLOCK_GNSS and quality.source != CLOCK_NTP:
            return 0.0
        step = offset_ms - self.offset_ms
        self.offset_ms, self.quality = offset_ms, quality
        return step if abs(step) > STEP_MS else 0.0
