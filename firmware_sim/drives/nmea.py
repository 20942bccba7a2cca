"""NMEA 0183 as receivers and loggers write it to a file, the sentences read by pynmeagps.

Sentences of one time of day are one fix. The date comes from RMC or ZDA; before the first of them
it is worked out backwards, and a file that has none counts from its first midnight. Whatever stands
before the ``$`` of a line (a logger's stamp, a tag block) is skipped.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

import pynmeagps
from pynmeagps import NMEAReader

from firmware_sim.drives import position
from firmware_sim.drives.model import MS_NS, Record, Tally, Value
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.times import believed, ns_of
from firmware_sim.nmea.sentences import KMH_PER_KNOT

WITHOUT_CHECKSUM = "sentences without a checksum"

_SENTENCE = re.compile(
    rb"\$(?P<name>P[A-Z0-9]{2,7}|[A-Z]{2}(?P<kind>[A-Z]{3}))"
    rb",[^$*\r\n]{0,200}(?P<checksum>\*[0-9A-Fa-f]{2})?\s*$"
)
_PREFIX_BYTES_MAX = 256
_RECOGNISED_BY_LINES = 20
_MEASURED_QUALITIES = (1, 2, 3, 4, 5)
"""GGA: not 0 (none), 6 (estimated), 7 (typed in) or 8 (simulated)."""
_FIX_TYPES = {1: position.NO_FIX, 2: "TWO_D", 3: "THREE_D"}
_HALF_DAY = timedelta(hours=12)
_SAME_RUN = timedelta(hours=1)
_UNDATED_FROM = datetime(1970, 1, 2, tzinfo=UTC)
"""A day after 0, so that a file that starts around midnight does not begin before it."""

_PARSING_FAILED = (
    *(pynmeagps.NMEAParseError, pynmeagps.NMEAMessageError, pynmeagps.NMEATypeError),
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
)
_Said = Mapping[str, Any]


def recognises(head: bytes) -> bool:
    """Whether at least half of the first lines are sentences."""
    lines = [line for line in head.splitlines() if line.strip()]
    first = list(islice(lines, _RECOGNISED_BY_LINES))
    sentences = sum(1 for line in first if _sentence(line))
    return bool(first) and 2 * sentences >= len(first)


def records(source: DriveSource, tally: Tally) -> Iterator[Record]:
    """One record per fix; the receiver's word on whether it had one is kept to."""
    return position.judged(_fixes(source, tally), tally)


def _fixes(source: DriveSource, tally: Tally) -> Iterator[Record]:
    fix = _Fix(_first_utc(source))
    for kind, said in _sentences(source, tally, _HEARD.keys()):
        at = said.get("time")
        if isinstance(at, time) and at != fix.at:
            yield from fix.closed()
            fix.open(at)
        _HEARD[kind](fix, said)
    yield from fix.closed()


@dataclass(slots=True)
class _Fix:
    """What is known of the fix that sentences are coming in for."""

    utc: datetime
    at: time | None = None
    values: dict[str, Value] = field(default_factory=dict)

    def open(self, at: time) -> None:
        """Begin one at a time of day, on the day that is nearest to the last known time."""
        utc = datetime.combine(self.utc.date(), at, UTC)
        if utc - self.utc > _HALF_DAY:
            utc -= timedelta(days=1)
        elif self.utc - utc > _HALF_DAY:
            utc += timedelta(days=1)
        self.utc, self.at, self.values = utc, at, {}

    def closed(self) -> Iterator[Record]:
        """The fix as a record, unless nothing was said of it."""
        time_ns = ns_of(self.utc)
        if self.at is not None and self.values and time_ns >= 0:
            yield Record(time_ns - time_ns % MS_NS, self.values)

    def dated(self, day: object, vouched: bool) -> None:
        """A date that a receiver names: with a fix, or near to what was known."""
        if isinstance(day, date) and self.at is not None:
            utc = datetime.combine(day, self.at, UTC)
            if believed(ns_of(utc)) is not None and (vouched or abs(utc - self.utc) <= _SAME_RUN):
                self.utc = utc

    def rmc(self, said: _Said) -> None:
        has_fix = said.get("status") == "A" and said.get("posMode", "A") != "N"
        self.dated(said.get("date"), has_fix)
        self._where(said, has_fix)
        self._number(position.SPEED, said.get("spd"), KMH_PER_KNOT)
        self._number(position.HEADING, said.get("cog"))

    def gga(self, said: _Said) -> None:
        self._where(said, said.get("quality") in _MEASURED_QUALITIES)
        self._number(position.ALTITUDE, said.get("alt"))
        self._number(position.SATELLITES, said.get("numSV"))
        self._number(position.HDOP, said.get("HDOP"))

    def vtg(self, said: _Said) -> None:
        if said.get("posMode", "A") != "N":
            self._number(position.SPEED, said.get("sogk"))
            self._number(position.HEADING, said.get("cogt"))

    def gsa(self, said: _Said) -> None:
        fix_type = _FIX_TYPES.get(said.get("navMode", 0))
        if fix_type and self.values.get(position.FIX_TYPE) != position.NO_FIX:
            self.values[position.FIX_TYPE] = fix_type

    def zda(self, said: _Said) -> None:
        self.dated(_zda_date(said), vouched=True)

    def _where(self, said: _Said, has_fix: bool) -> None:
        if not has_fix:
            self.values[position.FIX_TYPE] = position.NO_FIX
        self._number(position.LATITUDE, said.get("lat"))
        self._number(position.LONGITUDE, said.get("lon"))

    def _number(self, path: str, value: object, factor: float = 1.0) -> None:
        if isinstance(value, int | float):
            self.values[path] = float(value) * factor


_HEARD = {
    "RMC": _Fix.rmc,
    "GGA": _Fix.gga,
    "VTG": _Fix.vtg,
    "GSA": _Fix.gsa,
    "ZDA": _Fix.zda,
}


def _first_utc(source: DriveSource) -> datetime:
    """The first date and time that a receiver vouches for in this file."""
    for kind, said in _sentences(source, Tally(), frozenset({"RMC", "ZDA"})):
        day = said.get("date") if kind == "RMC" else _zda_date(said)
        at, vouched = said.get("time"), kind == "ZDA" or said.get("status") == "A"
        if vouched and isinstance(day, date) and isinstance(at, time):
            utc = datetime.combine(day, at, UTC)
            if believed(ns_of(utc)) is not None:
                return utc
    return _UNDATED_FROM


def _zda_date(said: _Said) -> date | None:
    try:
        return date(int(said["year"]), int(said["month"]), int(said["day"]))
    except (KeyError, OverflowError, TypeError, ValueError):
        return None


def _sentences(source: DriveSource, tally: Tally, kinds: Set[str]) -> Iterator[tuple[str, _Said]]:
    """Kind and fields of each sentence of these kinds with a right checksum."""
    for line in source.byte_lines():
        found = _sentence(line)
        if found is None:
            tally.unreadable += bool(line.strip())
        elif not found["checksum"]:
            tally.leave_out(WITHOUT_CHECKSUM)
        elif (kind := (found["kind"] or found["name"]).decode("ascii")) not in kinds:
            tally.leave_out(f"{kind} sentences")
        elif (said := _fields(found[0])) is None:
            tally.unreadable += 1
        else:
            yield kind, said


def _sentence(line: bytes) -> re.Match[bytes] | None:
    begun = line.rfind(b"$", 0, _PREFIX_BYTES_MAX)
    return _SENTENCE.match(line, begun) if begun >= 0 else None


def _fields(sentence: bytes) -> _Said | None:
    try:
        message = NMEAReader.parse(sentence.strip())
    except _PARSING_FAILED:
        return None
    return None if message is None else vars(message)
