"""GNSS receivers that speak on CAN: the 11-bit family of CANmod.gps, and J1939 address 28.

Both use ids that other equipment may use for other things. So the 11-bit family is believed only
while its own time frame says that GNSS time is valid and confirmed, with the frame lengths of the
family; the three proprietary PGNs only from the address of vehicle navigation (SAE J1939 table B2),
with a plausible time and at least three satellites.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from edge_agent.decode.j1939 import Identifier, read_identifier
from edge_agent.decode.layouts import messages, raw_values
from edge_agent.observation import Observation, Reading
from edge_agent.selection import Sender
from schemas.catalogue import BY_PATH

UNCERTAINTY_MS = 500
"""How late a receiver's time frame may reach the bus."""

_DBC = "gnss_on_can.dbc"
_BASES = (0x00, 0x64)
_STATUS, _TIME, _POSITION, _ALTITUDE, _ATTITUDE, _SPEED = 1, 2, 3, 4, 5, 7
_NAVIGATION_ADDRESS = 28
_PGN_POSITION, _PGN_VELOCITY, _PGN_TIME = 0xFF01, 0xFF02, 0xFF03
_BELIEVED_MS = 10_000
_SAME_EPOCH_MS = 150
_EPOCH_MIN_MS, _EPOCH_MAX_MS = 1_577_836_800_000, 4_102_444_800_000
_SATELLITES_MIN = 3
_ACCURACY_UNKNOWN = 63
_NO_FIX, _TWO_D, _THREE_D = 0, 1, 2
_FIX_TYPES = {2: _TWO_D, 3: _THREE_D, 4: _THREE_D}

_LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"].id
_LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"].id
_HEIGHT = BY_PATH["Vehicle.CurrentLocation.Altitude"].id
_HEADING = BY_PATH["Vehicle.CurrentLocation.Heading"].id
_GROUND_SPEED = BY_PATH["Vehicle.CurrentLocation.Speed"].id
_ACCURACY = BY_PATH["Vehicle.CurrentLocation.HorizontalAccuracy"].id
_FIX_TYPE = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.FixType"].id
_SATELLITES = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed"].id

_SIMPLE = {
    _ALTITUDE: ("Altitude", _HEIGHT),
    _ATTITUDE: ("Heading", _HEADING),
    _SPEED: ("Speed", _GROUND_SPEED),
}


class _Epoch(NamedTuple):
    at_ms: float
    utc_ms: float
    satellites: int = 0


@dataclass(slots=True)
class GnssOnCan:
    """What receivers on this bus said last, so that their other frames can be judged."""

    _epochs: dict[int, _Epoch] = field(default_factory=dict)
    _navigation: _Epoch | None = None

    def standard_frame(self, arbitration_id: int, data: bytes, at_ms: float) -> Observation | None:
        """Take an 11-bit frame."""
        for base in _BASES:
            number = arbitration_id - base
            layout = messages(_DBC).get(number)
            if number <= _SPEED and layout is not None and len(data) == layout[0].length:
                return self._family_frame(base, number, data, at_ms)
        return None

    def _family_frame(
        self, base: int, number: int, data: bytes, at_ms: float
    ) -> Observation | None:
        values = _scaled(number, data)
        if number == _TIME:
            return self._take_time(base, values, at_ms)
        epoch = self._epochs.get(base)
        if epoch is None or not 0 <= at_ms - epoch.at_ms <= _BELIEVED_MS:
            return None
        sender = Sender("canmod", 0, base)
        if number == _STATUS:
            fix = _FIX_TYPES.get(int(values["FixType"]), _NO_FIX)
            pairs = [(_FIX_TYPE, float(fix)), (_SATELLITES, values["Satellites"])]
        elif not values["Valid"]:
            return None
        elif number == _POSITION:
            pairs = [(_LATITUDE, values["Latitude"]), (_LONGITUDE, values["Longitude"])]
            if values["Accuracy"] < _ACCURACY_UNKNOWN:
                pairs.append((_ACCURACY, values["Accuracy"]))
        else:
            name, signal_id = _SIMPLE[number]
            pairs = [(signal_id, values[name])]
        readings = tuple(Reading(signal_id, value, sender) for signal_id, value in pairs)
        same = at_ms - epoch.at_ms <= _SAME_EPOCH_MS
        return Observation(at_ms, readings, epoch_ms=epoch.utc_ms if same else None)

    def _take_time(self, base: int, values: dict[str, float], at_ms: float) -> Observation | None:
        utc_ms = values["Epoch"]
        plausible = _EPOCH_MIN_MS <= utc_ms <= _EPOCH_MAX_MS
        if not (values["Valid"] and values["Confirmed"] and plausible):
            self._epochs.pop(base, None)
            return None
        self._epochs[base] = _Epoch(at_ms, utc_ms)
        return Observation(at_ms, gnss_ms=utc_ms, gnss_uncertainty_ms=UNCERTAINTY_MS)

    def navigation_frame(
        self, identifier: Identifier, data: bytes, at_ms: float
    ) -> Observation | None:
        """Take a J1939 frame of a proprietary PGN; ignored unless vehicle navigation sends it."""
        if identifier.source != _NAVIGATION_ADDRESS or len(data) != 8:
            return None
        if identifier.pgn == _PGN_TIME:
            return self._take_navigation_time(data, at_ms)
        epoch = self._navigation
        if epoch is None or not 0 <= at_ms - epoch.at_ms <= _BELIEVED_MS:
            return None
        if epoch.satellites < _SATELLITES_MIN:
            return None
        values = _scaled(_navigation_ids()[identifier.pgn], data)
        pairs: tuple[tuple[int, float], ...] = ()
        if identifier.pgn == _PGN_VELOCITY:
            pairs = ((_GROUND_SPEED, values["Speed"]),)
        elif _is_position(values["Latitude"], values["Longitude"]):
            pairs = ((_LATITUDE, values["Latitude"]), (_LONGITUDE, values["Longitude"]))
        sender = Sender("navigation", 0, identifier.source)
        return Observation(at_ms, tuple(Reading(i, value, sender) for i, value in pairs))

    def _take_navigation_time(self, data: bytes, at_ms: float) -> Observation | None:
        values = _scaled(_navigation_ids()[_PGN_TIME], data)
        utc_ms = values["Seconds"] * 1_000 + values["Microseconds"] / 1_000
        satellites = int(values["Satellites"])
        if not _EPOCH_MIN_MS <= utc_ms <= _EPOCH_MAX_MS or values["Microseconds"] >= 1_000_000:
            self._navigation = None
            return None
        self._navigation = _Epoch(at_ms, utc_ms, satellites)
        sender = Sender("navigation", 0, _NAVIGATION_ADDRESS)
        known = satellites >= _SATELLITES_MIN
        return Observation(
            at_ms,
            (Reading(_SATELLITES, satellites, sender),),
            gnss_ms=utc_ms if known else None,
            gnss_uncertainty_ms=UNCERTAINTY_MS,
        )


def is_navigation(pgn: int) -> bool:
    """Whether a PGN is one of the three that ``navigation_frame`` reads."""
    return _PGN_POSITION <= pgn <= _PGN_TIME


def _navigation_ids() -> dict[int, int]:
    return {read_identifier(i).pgn: i for i in messages(_DBC) if i > 0x7FF}


def _scaled(frame_id: int, data: bytes) -> dict[str, float]:
    message, fields = messages(_DBC)[frame_id]
    raw = raw_values(message, data)
    return {f.name: raw[f.name] * f.scale + f.offset for f in fields}


def _is_position(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180 and (latitude, longitude) != (0, 0)
