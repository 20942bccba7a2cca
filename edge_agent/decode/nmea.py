"""NMEA 0183 sentences to readings, through pynmeagps. Invalid fixes are left out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pynmeagps
from pynmeagps import NMEAReader

from edge_agent.observation import Observation, Reading
from edge_agent.selection import Sender
from schemas.catalogue import BY_PATH

END_OF_SOURCE = "HLPEND"
"""``$PHLPEND``: a replayed drive is over, everything before it was sent."""

UNCERTAINTY_MS = 1_000
"""How late a sentence may reach us after the epoch that it names."""

_KMH_PER_KNOT = 1.852
_QUALITIES = (1, 2, 3, 4, 5)
"""GGA fix qualities that are measured: not estimated, typed in or simulated."""
_SENDER = Sender("nmea")
_HALF_DAY = timedelta(hours=12)
_SAME_RUN_MS = 3_600_000
_YEAR_MIN, _YEAR_MAX = 2000, 2100

_LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"].id
_LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"].id
_HEIGHT = BY_PATH["Vehicle.CurrentLocation.Altitude"].id
_HEADING = BY_PATH["Vehicle.CurrentLocation.Heading"].id
_SPEED = BY_PATH["Vehicle.CurrentLocation.Speed"].id
_ACCURACY = BY_PATH["Vehicle.CurrentLocation.HorizontalAccuracy"].id
_FIX_TYPE = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.FixType"].id
_SATELLITES = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed"].id
_HDOP = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.HDOP"].id

_Fields = Mapping[str, Any]
_Pairs = list[tuple[int, Any]]


@dataclass(slots=True)
class NmeaDecoder:
    """One receiver's sentences. ``replayed``: their own UTC is the source's time line."""

    replayed: bool
    invalid: int = 0
    """Lines that are no sentence, or whose checksum is wrong."""
    ended: bool = False
    _utc: datetime | None = None
    _fix: bool = False

    def line(self, line: bytes, arrival_ms: float) -> Observation | None:
        """Take one line; ``arrival_ms`` is the local stamp, used unless the source is replayed."""
        try:
            message = NMEAReader.parse(line)
        except (pynmeagps.NMEAParseError, pynmeagps.NMEAMessageError, pynmeagps.NMEATypeError):
            message = None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            message = None
        if message is None:
            self.invalid += 1
            return None
        return self._sentence(str(message.msgID), vars(message), arrival_ms)

    def _sentence(self, kind: str, said: _Fields, arrival_ms: float) -> Observation | None:
        if kind == END_OF_SOURCE:
            self.ended = True
            return None
        reader = _READERS.get(kind)
        if reader is None:
            return None
        epoch, pairs = reader(self, said)
        if self._utc is None and self.replayed:
            return None
        now_ms = None if self._utc is None else self._utc.timestamp() * 1_000
        stamp_ms = now_ms if self.replayed and now_ms is not None else arrival_ms
        readings = tuple(
            Reading(signal_id, float(value), _SENDER)
            for signal_id, value in pairs
            if isinstance(value, int | float)
        )
        return Observation(
            stamp_ms,
            readings,
            gnss_ms=now_ms if epoch and kind == "RMC" else None,
            gnss_uncertainty_ms=UNCERTAINTY_MS,
            epoch_ms=now_ms if epoch else None,
        )

    def _rmc(self, said: _Fields) -> tuple[bool, _Pairs]:
        self._fix = said.get("status") == "A" and said.get("posMode", "A") != "N"
        day, at = said.get("date"), said.get("time")
        if isinstance(day, date) and isinstance(at, time):
            self._take_utc(day, at)
        if not self._fix:
            return False, []
        knots = said.get("spd")
        speed = knots * _KMH_PER_KNOT if isinstance(knots, int | float) else None
        return True, [*_position(said), (_SPEED, speed), (_HEADING, said.get("cog"))]

    def _gga(self, said: _Fields) -> tuple[bool, _Pairs]:
        self._fix = said.get("quality") in _QUALITIES
        self._take_time(said.get("time"))
        if not self._fix:
            return False, [(_SATELLITES, said.get("numSV"))]
        return True, [
            *_position(said),
            (_HEIGHT, said.get("alt")),
            (_SATELLITES, said.get("numSV")),
            (_HDOP, said.get("HDOP")),
        ]

    def _vtg(self, said: _Fields) -> tuple[bool, _Pairs]:
        if not self._fix or said.get("posMode", "A") == "N":
            return False, []
        return True, [(_SPEED, said.get("sogk")), (_HEADING, said.get("cogt"))]

    def _gsa(self, said: _Fields) -> tuple[bool, _Pairs]:
        mode = said.get("navMode")
        return self._fix, [(_FIX_TYPE, mode - 1)] if mode in (1, 2, 3) else []

    def _gst(self, said: _Fields) -> tuple[bool, _Pairs]:
        north, east = said.get("stdLat"), said.get("stdLong")
        if self._fix and isinstance(north, int | float) and isinstance(east, int | float):
            return True, [(_ACCURACY, math.hypot(north, east))]
        return False, []

    def _take_utc(self, day: date, at: time) -> None:
        if not _YEAR_MIN <= day.year < _YEAR_MAX:
            self._fix = False
            return
        utc = datetime.combine(day, at.replace(tzinfo=None), UTC)
        known = self._utc
        near = known is not None and abs((utc - known).total_seconds()) * 1_000 <= _SAME_RUN_MS
        if self._fix or near:
            self._utc = utc

    def _take_time(self, at: object) -> None:
        """Move on to a time of day: the day is the one that is nearest to the last known time."""
        if self._utc is None or not isinstance(at, time):
            return
        utc = datetime.combine(self._utc.date(), at.replace(tzinfo=None), UTC)
        if utc - self._utc > _HALF_DAY:
            utc -= timedelta(days=1)
        elif self._utc - utc > _HALF_DAY:
            utc += timedelta(days=1)
        self._utc = utc


def _position(said: _Fields) -> _Pairs:
    latitude, longitude = said.get("lat"), said.get("lon")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return []
    if abs(latitude) > 90 or abs(longitude) > 180:
        return []
    return [(_LATITUDE, latitude), (_LONGITUDE, longitude)]


_READERS = {
    "RMC": NmeaDecoder._rmc,
    "GGA": NmeaDecoder._gga,
    "VTG": NmeaDecoder._vtg,
    "GSA": NmeaDecoder._gsa,
    "GST": NmeaDecoder._gst,
}
