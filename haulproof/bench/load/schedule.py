"""When devices send: pure, so that a load is the same each time. Times in s from the load's begin.

A schedule is open: it does not wait for answers. A device that could not send in time still counts
from when it should have (else a slow exchange would be asked less, and look faster than it is).
"""

import hashlib
from dataclasses import dataclass

AGENT_IN_FLIGHT = 8
"""Publishes of an agent that wait for the broker's acknowledgement at most."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A device's sending times: every ``period_s`` from ``first_s`` on, before ``until_s``."""

    first_s: float
    period_s: float
    until_s: float

    def times(self) -> list[float]:
        """Ascending; none when the first is not before the end."""
        count = 0
        if self.first_s < self.until_s:
            count = int((self.until_s - self.first_s) / self.period_s) + 1
        times = [self.first_s + n * self.period_s for n in range(count)]
        return [time for time in times if time < self.until_s]


@dataclass(frozen=True, slots=True)
class Sender:
    """What one device of the fleet does: ``device`` is its number."""

    device: int
    rhythm: Rhythm
    in_flight: int = AGENT_IN_FLIGHT
    keeps_backlog: bool = True
    """False: what it could not send before the rhythm's end is never sent."""


def rhythms(devices: int, rate_per_s: float, from_s: float, until_s: float) -> list[Rhythm]:
    """Devices that send ``rate_per_s`` segments in all, each as often as any other.

    Where in its period a device begins is even over the fleet but in no order, as trucks start
    when they start; the same device begins at the same moment each time.
    """
    if devices < 1 or rate_per_s <= 0:
        raise ValueError("a load needs devices and a rate above zero")
    period_s = devices / rate_per_s
    return [Rhythm(from_s + _phase(n) * period_s, period_s, until_s) for n in range(devices)]


def slices(segments: int, devices: int, segments_max: int) -> list[int]:
    """How many segments each device sends, slice by slice: at least ``segments`` in all.

    A slice has at most ``segments_max`` segments, or one of every device where those are more.
    """
    each, each_max = -(-segments // devices), max(1, segments_max // devices)
    whole, rest = divmod(each, each_max)
    return [each_max] * whole + [rest] * (rest > 0)


def _phase(number: int) -> float:
    """0 to 1, exclusive, by the device's number."""
    drawn = hashlib.sha256(f"phase {number}".encode()).digest()
    return int.from_bytes(drawn[:6], "big") / 2**48
