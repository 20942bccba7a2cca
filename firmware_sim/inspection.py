"""What a drive file holds, signal by signal, before anything of it is played."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from firmware_sim.drives import Drive, FrameDrive, RecordDrive, position
from firmware_sim.drives.known_frames import KnownFrames
from firmware_sim.drives.model import Value
from firmware_sim.j1939.reading import values_of

GAP_S = 10.0
"""Longer than this without a known signal is a gap; slow trackers tell something every 10 s."""

_EARTH_M = 6_371_000
_SECOND_NS = 10**9
_HEARD_EVERY = 4_096


@dataclass(slots=True)
class SignalHeld:
    """One signal of a drive: how often it is told, and between which values (None: not read)."""

    path: str
    values: int = 0
    first_ns: int = 0
    last_ns: int = 0
    least: float | None = None
    greatest: float | None = None

    @property
    def hertz(self) -> float | None:
        """How often it is told on average; None of a single value."""
        span_s = (self.last_ns - self.first_ns) / _SECOND_NS
        return (self.values - 1) / span_s if span_s > 0 else None

    def tell(self, time_ns: int, value: Value | None) -> None:
        """Count one more value."""
        self.first_ns = min(self.first_ns, time_ns) if self.values else time_ns
        self.last_ns = max(self.last_ns, time_ns)
        self.values += 1
        if isinstance(value, float):
            self.least = value if self.least is None else min(self.least, value)
            self.greatest = value if self.greatest is None else max(self.greatest, value)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without any known signal, and how far apart the fixes around it are, if known."""

    from_ns: int
    seconds: float
    moved_m: float | None


@dataclass(slots=True)
class Inspection:
    """What was found in one pass. ``longest`` is the longest gap."""

    drive: Drive
    signals: dict[str, SignalHeld] = field(default_factory=dict)
    gaps: int = 0
    gap_seconds: float = 0.0
    longest: Gap | None = None
    _last_ns: int | None = None
    _last_fix: tuple[float, float] | None = None

    def tell(self, time_ns: int, values: Mapping[str, Value | None]) -> None:
        """Take what was measured at one instant; a value of None was told, but is not read here."""
        if not values:
            return
        fix = _fix_of(values)
        if self._last_ns is not None and time_ns - self._last_ns > GAP_S * _SECOND_NS:
            self._count_gap(self._last_ns, time_ns, fix)
        self._last_ns = time_ns
        self._last_fix = fix or self._last_fix
        for path, value in values.items():
            held = self.signals.get(path)
            if held is None:
                held = self.signals[path] = SignalHeld(path)
            held.tell(time_ns, value)

    def _count_gap(self, from_ns: int, to_ns: int, fix: tuple[float, float] | None) -> None:
        moved_m = _apart_m(self._last_fix, fix) if fix and self._last_fix else None
        gap = Gap(from_ns, (to_ns - from_ns) / _SECOND_NS, moved_m)
        self.gaps += 1
        self.gap_seconds += gap.seconds
        if self.longest is None or gap.seconds > self.longest.seconds:
            self.longest = gap


def inspect(drive: Drive, hear: Callable[[float], None]) -> Inspection:
    """Read a drive once more, for its signals. ``hear`` is told how far that has come, 0 to 1."""
    inspection = Inspection(drive)
    instants = _of_bus(drive) if isinstance(drive, FrameDrive) else _of_records(drive)
    for number, (time_ns, values) in enumerate(instants):
        inspection.tell(time_ns, values)
        if number % _HEARD_EVERY == 0:
            hear(min(1.0, number / drive.facts.items))
    return inspection


_Instants = Iterator[tuple[int, Mapping[str, Value | None]]]


def _of_bus(drive: FrameDrive) -> _Instants:
    known = KnownFrames()
    for frame in drive.frames():
        paths = known.paths_in(frame)
        values = values_of(frame.can_id, frame.data) if paths and frame.extended else {}
        yield frame.time_ns, {path: values.get(path) for path in paths}


def _of_records(drive: RecordDrive) -> _Instants:
    for record in drive.records():
        yield record.time_ns, record.values


def _fix_of(values: Mapping[str, Value | None]) -> tuple[float, float] | None:
    latitude, longitude = values.get(position.LATITUDE), values.get(position.LONGITUDE)
    if isinstance(latitude, float) and isinstance(longitude, float):
        return latitude, longitude
    return None


def _apart_m(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Metres between two fixes, over the ground, well enough for a sentence."""
    height = math.radians(there[0] - here[0])
    width = math.radians((there[1] - here[1] + 180) % 360 - 180)
    return _EARTH_M * math.hypot(height, width * math.cos(math.radians(here[0])))
