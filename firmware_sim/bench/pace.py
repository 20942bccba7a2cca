"""How fast a drive is played: its own time, N times faster, against a clock that is passed in."""

import asyncio
import time
from typing import Protocol

WAIT_S_MAX = 120.0
"""A longer gap is cut to this: a recording may jump by days where a clock was set."""


class Clock(Protocol):
    """A monotonic clock, and the wait for it."""

    def now(self) -> float:
        """Seconds since whenever."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when that many seconds have passed."""
        ...


class MonotonicClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the event loop."""
        await asyncio.sleep(seconds)


class Pace:
    """Tells when each time of the drive is due. A time that steps back is due at once."""

    def __init__(self, clock: Clock, speed: float, first_ns: int) -> None:
        self._clock = clock
        self._speed = speed
        self._first_ns = first_ns
        self._started = clock.now()

    def due_in_s(self, time_ns: int) -> float:
        """Seconds until a time of the drive; 0 or less when it is due."""
        drive_s = (time_ns - self._first_ns) / 1e9
        return self._started + drive_s / self._speed - self._clock.now()

    async def until(self, time_ns: int) -> None:
        """Wait until a time of the drive is due."""
        remaining = self.due_in_s(time_ns)
        if remaining > WAIT_S_MAX:
            self._started -= remaining - WAIT_S_MAX
            remaining = WAIT_S_MAX
        if remaining > 0:
            await self._clock.sleep(remaining)
