"""What the frames of a recorded bus say: which signals, and what time by the satellites.

J1939 groups; OBD-II answers of mode 01 (SAE J1979); the CANmod.gps family of 11-bit ids (CSS
Electronics; ids 1 to 9 from base 0 or 0x64), believed for ten seconds after one of its own time
frames was valid; and the three proprietary groups of SystemsCyber/TruckGPS.
"""

import struct
from dataclasses import dataclass, field

from firmware_sim.drives import position
from firmware_sim.drives.model import Frame
from firmware_sim.drives.satellite_clock import SatelliteClock
from firmware_sim.j1939.reading import pgn_of, values_of

_NOTHING: frozenset[str] = frozenset()

_OBD_11_BIT = range(0x7E8, 0x7F0)
_OBD_29_BIT = range(0x18DAF100, 0x18DAF200)
_OBD_CURRENT_DATA = 0x41
_OBD_PIDS: dict[int, tuple[int, str]] = {
    0x04: (1, "Vehicle.Powertrain.Eec2EnginePercentLoad"),
    0x05: (1, "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"),
    0x0C: (2, "Vehicle.Powertrain.CombustionEngine.Speed"),
    0x0D: (1, "Vehicle.Speed"),
    0x11: (1, "Vehicle.Powertrain.CombustionEngine.TPS"),
    0x2F: (1, "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel"),
    0x42: (2, "Vehicle.LowVoltageBattery.CurrentVoltage"),
    0x46: (1, "Vehicle.Exterior.AirTemperature"),
    0x5E: (2, "Vehicle.Powertrain.FuelSystem.InstantRate"),
    0xA6: (4, "Vehicle.TraveledDistance"),
}

_CANMOD_BASES = (0x00, 0x64)
_CANMOD_TIME = 2
_CANMOD_VALUES: dict[int, tuple[int, frozenset[str]]] = {
    3: (8, position.COORDINATES),
    4: (4, frozenset({position.ALTITUDE})),
    5: (8, frozenset({position.HEADING})),
    7: (5, frozenset({position.SPEED})),
}
_CANMOD_TIME_BYTES = 6
_CANMOD_EPOCH_MS = 1_577_840_400_000
_CANMOD_BELIEVED_NS = 10 * 10**9

_TRUCKGPS_ADDRESS = 0x1C
_TRUCKGPS_POSITION, _TRUCKGPS_TIME = 0xFF01, 0xFF03
_TRUCKGPS_SATELLITES_MIN = 3

_MS_NS = 10**6


@dataclass(slots=True)
class KnownFrames:
    """Reads one recording's frames in their order."""

    satellite: SatelliteClock = field(default_factory=SatelliteClock)
    _believed_from_ns: dict[int, int] = field(default_factory=dict)

    def paths_in(self, frame: Frame) -> frozenset[str]:
        """The VSS paths of which this frame holds a valid value."""
        if not frame.extended:
            if frame.can_id in _OBD_11_BIT:
                return _obd_paths(frame.data)
            return self._canmod_paths(frame)
        if frame.can_id in _OBD_29_BIT:
            return _obd_paths(frame.data)
        if frame.can_id & 0xFF == _TRUCKGPS_ADDRESS and len(frame.data) == 8:
            own = self._truckgps_paths(frame)
            if own is not None:
                return own
        return frozenset(values_of(frame.can_id, frame.data))

    def _truckgps_paths(self, frame: Frame) -> frozenset[str] | None:
        pgn = pgn_of(frame.can_id)
        if pgn == _TRUCKGPS_TIME:
            micros, seconds = int.from_bytes(frame.data[1:4], "little"), frame.data[4:]
            if frame.data[0] >= _TRUCKGPS_SATELLITES_MIN:
                utc_ns = int.from_bytes(seconds, "little") * 10**9 + micros * 1_000
                self.satellite.hear(utc_ns - frame.time_ns)
            return frozenset({position.SATELLITES})
        if pgn != _TRUCKGPS_POSITION:
            return None
        latitude, longitude = (raw * 1e-7 for raw in struct.unpack("<ii", frame.data))
        fix = {position.LATITUDE: latitude, position.LONGITUDE: longitude}
        return position.COORDINATES if position.is_valid(fix) else _NOTHING

    def _canmod_paths(self, frame: Frame) -> frozenset[str]:
        for base in _CANMOD_BASES:
            number = frame.can_id - base
            if number == _CANMOD_TIME and len(frame.data) == _CANMOD_TIME_BYTES:
                self._hear_canmod_time(base, frame)
                return _NOTHING
            size, paths = _CANMOD_VALUES.get(number, (0, _NOTHING))
            believed = self._believed_from_ns.get(base)
            if not paths or size != len(frame.data) or believed is None:
                continue
            if frame.data[0] & 1 and 0 <= frame.time_ns - believed <= _CANMOD_BELIEVED_NS:
                return paths
        return _NOTHING

    def _hear_canmod_time(self, base: int, frame: Frame) -> None:
        valid_and_confirmed = frame.data[0] & 3 == 3
        if not valid_and_confirmed:
            self._believed_from_ns.pop(base, None)
            return
        self._believed_from_ns[base] = frame.time_ns
        utc_ms = int.from_bytes(frame.data[1:], "little") + _CANMOD_EPOCH_MS
        self.satellite.hear(utc_ms * _MS_NS - frame.time_ns)


def _obd_paths(data: bytes) -> frozenset[str]:
    """The signals of a single-frame answer, which may hold several (ISO 15765-2)."""
    size = data[0] if data else 0
    if not 2 <= size < len(data) or data[1] != _OBD_CURRENT_DATA:
        return _NOTHING
    rest, paths = data[2 : size + 1], set[str]()
    while rest and rest[0] in _OBD_PIDS:
        length, path = _OBD_PIDS[rest[0]]
        if len(rest) <= length:
            break
        paths.add(path)
        rest = rest[1 + length :]
    return frozenset(paths)
