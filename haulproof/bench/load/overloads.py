"""The two overloads: which devices send how much, and when. Pure; times in s from the begin."""

from dataclasses import dataclass

from haulproof.bench.load.schedule import Sender, rhythms

FACTOR = 3.0
_QUIET_RATE = 0.2
"""Of the capacity, were all devices quiet."""
_QUIET_DEVICES = 0.2
"""Of the fleet, in the load by nearly all."""
_AFTER_S_MAX = 60.0
_NOISY_IN_FLIGHT = 1_000


@dataclass(frozen=True, slots=True)
class Phases:
    """When the load begins and ends, and until when quiet devices go on; s from the begin."""

    load_s: float
    load_end_s: float
    end_s: float


def phases(seconds: float) -> Phases:
    """A third as long before, up to a minute after."""
    before = seconds / 3
    return Phases(before, before + seconds, before + seconds + min(_AFTER_S_MAX, 4 * seconds))


def fleet_load(devices: int, capacity_per_s: float, when: Phases) -> list[Sender]:
    """All but some quiet devices send three times the capacity, those included, and keep it."""
    quiet = max(1, min(devices - 1, round(devices * _QUIET_DEVICES)))
    pace = capacity_per_s * _QUIET_RATE / devices
    steady = _quiet(range(quiet), pace, when)
    rate = capacity_per_s * FACTOR - pace * quiet
    loud = rhythms(devices - quiet, rate, when.load_s, when.load_end_s)
    return steady + [Sender(quiet + n, rhythm) for n, rhythm in enumerate(loud)]


def noisy_load(devices: int, capacity_per_s: float, when: Phases) -> list[Sender]:
    """The last device alone is to send three times the capacity; the others are quiet."""
    steady = _quiet(range(devices - 1), capacity_per_s * _QUIET_RATE / devices, when)
    (flood,) = rhythms(1, capacity_per_s * FACTOR, when.load_s, when.load_end_s)
    return [*steady, Sender(devices - 1, flood, _NOISY_IN_FLIGHT, keeps_backlog=False)]


def _quiet(devices: range, pace_per_s: float, when: Phases) -> list[Sender]:
    """Each sends ``pace_per_s``, all of the time."""
    steady = rhythms(len(devices), pace_per_s * len(devices), 0.0, when.end_s)
    return [Sender(device, rhythm) for device, rhythm in zip(devices, steady, strict=True)]
