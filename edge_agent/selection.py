"""Which of several senders of the same signal is believed (vehicle bus practice, SAE J1939-71).

One truck says its speed, odometer and position in several places, and they differ: two ECUs of a
real log are 1.9 km apart. So every signal has one sender at a time, the best ranked that is alive;
what accumulates (odometers, total fuel, engine hours) keeps its sender until the next start.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.catalogue import BY_PATH

HOLD_MS = 5_000
"""How long a silent sender keeps a signal from a worse one."""

DISCOVERY_MS = 1_500
"""How long senders of what accumulates are listened to before one is chosen (they send at 1 Hz)."""

_HELD_MAX = 64


class Sender(NamedTuple):
    """Who said something: the medium, and on J1939 the suspect parameter and source address."""

    medium: str
    spn: int = 0
    address: int = 0


def _ids(*paths: str) -> frozenset[int]:
    return frozenset(BY_PATH[path].id for path in paths)


ACCUMULATING = _ids(
    "Vehicle.TraveledDistance",
    "Vehicle.TraveledDistanceHighRes",
    "Vehicle.Powertrain.FuelSystem.AccumulatedConsumption",
    "Vehicle.Powertrain.CombustionEngine.EngineHours",
)
_POSITION = _ids(
    "Vehicle.CurrentLocation.Latitude",
    "Vehicle.CurrentLocation.Longitude",
    "Vehicle.CurrentLocation.Altitude",
    "Vehicle.CurrentLocation.Heading",
    "Vehicle.CurrentLocation.Speed",
    "Vehicle.CurrentLocation.HorizontalAccuracy",
)
_RECEIVER = _ids(
    "Vehicle.CurrentLocation.GNSSReceiver.FixType",
    "Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed",
    "Vehicle.CurrentLocation.GNSSReceiver.HDOP",
)
_POSITION_GROUP = -1

_MEDIA = {"nmea": 0, "canmod": 1, "navigation": 2, "j1939": 3, "obd": 4}
_SPNS = {5054: 0, 250: 1}
_TACHOGRAPH, _CLUSTER, _CAB_DISPLAY, _ENGINE, _CAB = 0xEE, 0x17, 0x28, 0x00, 0x31
_ADDRESSES_ACCUMULATING = {_TACHOGRAPH: 0, _CLUSTER: 1, _CAB_DISPLAY: 2, _ENGINE: 3}
_ADDRESSES = {_ENGINE: 0, _CAB: 1}


def rank(signal_id: int, sender: Sender) -> tuple[int, int, int, int]:
    """The place of a sender among those of a signal; the lowest is preferred."""
    table = _ADDRESSES_ACCUMULATING if signal_id in ACCUMULATING else _ADDRESSES
    return (
        _MEDIA.get(sender.medium, len(_MEDIA)),
        _SPNS.get(sender.spn, 0),
        table.get(sender.address, len(table)),
        sender.address,
    )


class Admitted(NamedTuple):
    """A reading that may be sampled: signal id, time in ms, value in the signal's unit."""

    signal_id: int
    at_ms: float
    value: float


@dataclass(slots=True)
class _Choice:
    sender: Sender
    heard_ms: float


@dataclass(slots=True)
class _Discovery:
    """Senders of something that accumulates, before one of them is chosen."""

    since_ms: float
    heard: dict[Sender, list[Admitted]] = field(default_factory=dict)


@dataclass(slots=True)
class Selector:
    """Admits the readings of each signal's chosen sender."""

    rank_of: Callable[[int, Sender], tuple[int, int, int, int]] = rank
    _choices: dict[int, _Choice] = field(default_factory=dict)
    _discoveries: dict[int, _Discovery] = field(default_factory=dict)

    def admit(self, signal_id: int, sender: Sender, at_ms: float, value: float) -> Admitted | None:
        """The reading itself when it may be sampled now; one that is held back comes later."""
        reading = Admitted(signal_id, at_ms, value)
        if signal_id in _RECEIVER:
            choice = self._choices.get(_POSITION_GROUP)
            return reading if choice is None or choice.sender == sender else None
        key = _POSITION_GROUP if signal_id in _POSITION else signal_id
        choice = self._choices.get(key)
        if signal_id in ACCUMULATING:
            if choice is None:
                discovery = self._discoveries.setdefault(signal_id, _Discovery(at_ms))
                held = discovery.heard.setdefault(sender, [])
                if len(held) < _HELD_MAX:
                    held.append(reading)
                return None
            return reading if choice.sender == sender else None
        if choice is None:
            choice = self._choices[key] = _Choice(sender, at_ms)
        if sender != choice.sender:
            better = self.rank_of(signal_id, sender) < self.rank_of(signal_id, choice.sender)
            if not better and at_ms - choice.heard_ms <= HOLD_MS:
                return None
            choice.sender = sender
        choice.heard_ms = max(choice.heard_ms, at_ms)
        return reading

    def settle(self, at_ms: float) -> list[Admitted]:
        """Choose senders whose discovery is over at this time: what was held back of them."""
        admitted: list[Admitted] = []
        over = [i for i, d in self._discoveries.items() if at_ms - d.since_ms >= DISCOVERY_MS]
        for signal_id in over:
            heard = self._discoveries.pop(signal_id).heard
            sender = min(heard, key=lambda one: self.rank_of(signal_id, one))
            self._choices[signal_id] = _Choice(sender, at_ms)
            admitted.extend(heard[sender])
        return admitted

    def shift(self, step_ms: float) -> None:
        """The clock was wrong by ``step_ms``."""
        for choice in self._choices.values():
            choice.heard_ms += step_ms
        for discovery in self._discoveries.values():
            discovery.since_ms += step_ms
            for sender, held in discovery.heard.items():
                discovery.heard[sender] = [r._replace(at_ms=r.at_ms + step_ms) for r in held]
