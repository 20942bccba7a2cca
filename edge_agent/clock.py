"""The truck's own clocks: UTC as the system believes it, and a monotonic one for durations."""

import ctypes
import struct
import time
from typing import Protocol

from edge_agent.timebase import UNKNOWN_UNCERTAINTY_MS, ClockQuality
from schemas.segment import CLOCK_NTP, CLOCK_RTC

_TIMEX_BYTES = 256
_MAXERROR_AT, _STATUS_AT = 24, 40
_STA_UNSYNC = 0x40


class Clock(Protocol):
    """Time, passed in."""

    def utc_ms(self) -> float:
        """UTC in ms since 1970."""

    def mono_ms(self) -> float:
        """Milliseconds on a clock that only goes forward."""

    def quality(self) -> ClockQuality:
        """Who vouches for ``utc_ms``, and how far it may be off."""


class SystemClock:
    """The kernel's clocks; whether NTP keeps them is asked of the kernel (adjtimex(2))."""

    def utc_ms(self) -> float:
        """UTC in ms since 1970."""
        return time.time_ns() / 1e6

    def mono_ms(self) -> float:
        """Milliseconds on a clock that only goes forward."""
        return time.monotonic_ns() / 1e6

    def quality(self) -> ClockQuality:
        """NTP with the kernel's own bound of its error, else the board's clock with none."""
        maxerror_us = _ntp_error_us()
        if maxerror_us is None:
            return ClockQuality(CLOCK_RTC, UNKNOWN_UNCERTAINTY_MS)
        return ClockQuality(CLOCK_NTP, maxerror_us // 1_000 + 1)


def _ntp_error_us() -> int | None:
    """The kernel's maximum error in µs while its clock is synchronised, else None."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (AttributeError, OSError):
        return None
    (maxerror_us,) = struct.unpack_from("=q", timex, _MAXERROR_AT)
    (status,) = struct.unpack_from("=i", timex, _STATUS_AT)
    if state < 0 or status & _STA_UNSYNC or maxerror_us < 0:
        return None
    return int(maxerror_us)
