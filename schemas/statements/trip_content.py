"""What a trip says of the road: facts, the same for whoever derives them (DESIGN section 6).

Times in UTC ms, speeds in 0.01 km/h, positions in 1e-7 degrees of WGS 84, as in the catalogue.
Intervals are ``(from, to)``. Nothing here depends on how samples were cut into segments.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any, TypeVar

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import (
    DIGEST_BYTES,
    INT64_MAX,
    SUBJECT_CHARS_MAX,
    TIME_MS_MAX,
    TRIP_EVENTS_MAX,
    TRIP_FINDINGS_MAX,
    TRIP_GAPS_MAX,
    TRIP_ID_BYTES,
    TRIP_STOPS_MAX,
    TRIP_VALUES_MAX,
)
from schemas.names import is_name
from schemas.segment import Detail

Interval = tuple[int, int]
Position = tuple[int, int]
"""Latitude and longitude."""

_MANDATORY = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 18, 22, 23, 24, 25)
_OPTIONAL = (10, 11, 12, 14, 19, 20, 21)
_LATITUDE_MAX = 900_000_000
_LONGITUDE_MAX = 1_800_000_000

_Enum = TypeVar("_Enum", bound=IntEnum)


class StartRule(IntEnum):
    """Which rule began a trip."""

    IGNITION = 1
    ENGINE = 2
    SPEED = 3


class EndRule(IntEnum):
    """Which rule ended a trip."""

    ENGINE_OFF = 1
    STANDING = 2
    SOURCE_ENDED = 3
    NO_DATA = 4
    LONGEST = 5


class FindingClass(IntEnum):
    """What a finding means: noise, nothing to judge by, what fraud would need (and more does)."""

    QUALITY = 1
    NOT_ASSESSABLE = 2
    CONTRADICTION = 3


class FindingCode(IntEnum):
    """What was found; the comment names the ``values``."""

    ODOMETER_AGAINST_GNSS = 1  # metres by odometer, metres by GNSS, difference in per mille
    POSITION_JUMP = 2  # metres between two fixes, milliseconds between them
    POSITION_SPIKE = 3  # the same, of a fix that came back at once
    ODOMETER_SET_BACK = 4  # metres before, metres after
    ODOMETER_LEAP = 5  # metres before, metres after


class Remark(IntEnum):
    """Counts that speak of quality and are no finding."""

    FIXES_OUT_OF_RANGE = 1
    SPEEDS_OUT_OF_RANGE = 2
    STANDING_PATH_MM = 3
    """Path of fixes that wandered while the vehicle stood; in no distance."""
    STOPS_NOT_LISTED = 4
    GAPS_NOT_LISTED = 5
    EVENTS_NOT_LISTED = 6
    FINDINGS_NOT_LISTED = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a plausibility check found, and where its evidence lies."""

    code: FindingCode
    severity: FindingClass
    from_ms: int
    to_ms: int
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TripEvent:
    """An event of a segment, copied; ids are the catalogue's."""

    at_ms: int
    event_id: int
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TripContent:
    """The facts of one trip."""

    trip_id: bytes
    """16 bytes, from carrier, vehicle and first moving sample."""
    carrier: str
    vehicle: str
    derivation: int
    """Version of the rules that are code."""
    thresholds: bytes
    """SHA-256 of the configuration of the rules."""
    window: Interval
    """First sample read, and the moment up to which samples decided."""
    start: tuple[int, StartRule]
    end: tuple[int, EndRule]
    first_moving_ms: int
    moving_ms: int
    standing_ms: int
    gap_ms: int
    samples: int
    conflicts: int
    assurance: int
    """The lowest level among the devices read: 1 agent, 2 terminal, 3 platform."""
    odometer_m: int | None = None
    gnss_mm: int | None = None
    chords: tuple[int, int] | None = None
    """Of ``gnss_mm``: mm of chords across gaps, and how many there were."""
    speed: tuple[int, int] | None = None
    """The highest, and the mean while moving."""
    stops: tuple[Interval, ...] = ()
    gaps: tuple[Interval, ...] = ()
    start_position: Position | None = None
    end_position: Position | None = None
    odometer: tuple[int, int] | None = None
    """The first and the last reading, in m."""
    events: tuple[TripEvent, ...] = ()
    findings: tuple[Finding, ...] = ()
    remarks: Mapping[Remark, int] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content's deterministic CBOR: what a recomputation must meet."""
        return hashlib.sha256(cbor.encode(self.fields())).digest()

    def fields(self) -> dict[int, object]:
        """The content map; keys of what is absent are left out."""
        fields: dict[int, object] = {
            1: self.trip_id,
            2: self.carrier,
            3: self.vehicle,
            4: self.derivation,
            5: self.thresholds,
            6: list(self.window),
            7: _ruled(self.start),
            8: _ruled(self.end),
            9: self.first_moving_ms,
            10: self.odometer_m,
            11: self.gnss_mm,
            12: self.chords,
            13: [self.moving_ms, self.standing_ms, self.gap_ms],
            14: self.speed,
            15: self.stops,
            16: self.gaps,
            17: self.samples,
            18: self.conflicts,
            19: self.start_position,
            20: self.end_position,
            21: self.odometer,
            22: self.assurance,
            23: [[event.at_ms, event.event_id, event.detail] for event in self.events],
            24: [_finding_item(finding) for finding in self.findings],
            25: {int(remark): count for remark, count in self.remarks.items()},
        }
        return {key: value for key, value in fields.items() if value is not None}


def read_content(value: object) -> TripContent:
    """The content of a content map; ``StatementRefused(malformed)`` when it is none."""
    fields = cbor.take_map(value, "the content of a trip", _MANDATORY, _OPTIONAL)
    if (11 in fields) != (12 in fields):
        raise malformed("a GNSS distance and its chords across gaps belong together")
    if (10 in fields) != (21 in fields):
        raise malformed("an odometer distance and its readings belong together")
    carrier = cbor.take_text(fields[2], "the carrier")
    if not is_name(carrier):
        raise malformed("the carrier is not a name")
    moving_ms, standing_ms, gap_ms = _uints(fields[13], "the times of a trip", 3)
    return TripContent(
        trip_id=cbor.take_bytes(fields[1], "the trip's id", TRIP_ID_BYTES),
        carrier=carrier,
        vehicle=cbor.take_text(fields[3], "the vehicle", SUBJECT_CHARS_MAX),
        derivation=cbor.take_uint(fields[4], "the derivation's version"),
        thresholds=cbor.take_bytes(fields[5], "the digest of the thresholds", DIGEST_BYTES),
        window=_interval(fields[6], "the window of a trip"),
        start=_read_ruled(fields[7], "the start of a trip", StartRule),
        end=_read_ruled(fields[8], "the end of a trip", EndRule),
        first_moving_ms=cbor.take_uint(fields[9], "the first moving sample", TIME_MS_MAX),
        moving_ms=moving_ms,
        standing_ms=standing_ms,
        gap_ms=gap_ms,
        samples=cbor.take_uint(fields[17], "the number of samples"),
        conflicts=cbor.take_uint(fields[18], "the number of conflicts"),
        assurance=cbor.take_uint(fields[22], "the assurance level", 3),
        odometer_m=_optional_uint(fields, 10, "the odometer's distance"),
        gnss_mm=_optional_uint(fields, 11, "the GNSS distance"),
        chords=_optional_pair(fields, 12, "chords across gaps"),
        speed=_optional_pair(fields, 14, "the speeds of a trip"),
        stops=_intervals(fields[15], "stops", TRIP_STOPS_MAX),
        gaps=_intervals(fields[16], "gaps", TRIP_GAPS_MAX),
        start_position=_read_position(fields, 19),
        end_position=_read_position(fields, 20),
        odometer=_optional_pair(fields, 21, "the odometer's readings"),
        events=_read_events(fields[23]),
        findings=_read_findings(fields[24]),
        remarks=_read_remarks(fields[25]),
    )


def _ruled(moment: tuple[int, IntEnum]) -> list[int]:
    return [moment[0], int(moment[1])]


def _finding_item(finding: Finding) -> list[object]:
    place = (finding.from_ms, finding.to_ms, finding.values)
    return [int(finding.code), int(finding.severity), *place]


def _uints(value: object, name: str, length: int) -> list[int]:
    return [cbor.take_uint(item, name) for item in cbor.take_list(value, name, length)]


def _interval(value: object, name: str) -> Interval:
    begin, end = _uints(value, name, 2)
    if not begin <= end <= TIME_MS_MAX:
        raise malformed(f"{name}: a time that ends before it starts")
    return begin, end


def _intervals(value: object, name: str, longest: int) -> tuple[Interval, ...]:
    found = tuple(_interval(item, name) for item in _bounded(value, name, longest))
    if any(later[0] < earlier[1] for earlier, later in pairwise(found)):
        raise malformed(f"{name} overlap or are out of order")
    return found


def _bounded(value: object, name: str, longest: int) -> list[Any]:
    items = cbor.take_list(value, name)
    if len(items) > longest:
        raise malformed(f"more than {longest} {name}")
    return items


def _optional_uint(fields: Mapping[int, Any], key: int, name: str) -> int | None:
    return cbor.take_uint(fields[key], name) if key in fields else None


def _optional_pair(fields: Mapping[int, Any], key: int, name: str) -> tuple[int, int] | None:
    if key not in fields:
        return None
    first, second = _uints(fields[key], name, 2)
    return first, second


def _read_ruled(value: object, name: str, rules: type[_Enum]) -> tuple[int, _Enum]:
    at_ms, rule = _uints(value, name, 2)
    return cbor.take_uint(at_ms, name, TIME_MS_MAX), _known(rules, rule, name)


def _known(rules: type[_Enum], value: int, name: str) -> _Enum:
    if value not in {rule.value for rule in rules}:
        raise malformed(f"{name} has a code that no version knows")
    return rules(value)


def _read_position(fields: Mapping[int, Any], key: int) -> Position | None:
    if key not in fields:
        return None
    latitude, longitude = cbor.take_list(fields[key], "a position", 2)
    for value, largest in ((latitude, _LATITUDE_MAX), (longitude, _LONGITUDE_MAX)):
        if type(value) is not int or not -largest <= value <= largest:
            raise malformed("a position outside the earth's")
    return latitude, longitude


def _read_events(value: object) -> tuple[TripEvent, ...]:
    return tuple(_read_event(item) for item in _bounded(value, "events", TRIP_EVENTS_MAX))


def _read_event(item: object) -> TripEvent:
    at_ms, event_id, detail = cbor.take_list(item, "an event", 3)
    if type(detail) is not dict or any(
        type(part) not in (int, str, bytes) for part in detail.values()
    ):
        raise malformed("the detail of an event is not a map of integers, texts and bytes")
    return TripEvent(
        cbor.take_uint(at_ms, "the time of an event", TIME_MS_MAX),
        cbor.take_uint(event_id, "an event id"),
        detail,
    )


def _read_findings(value: object) -> tuple[Finding, ...]:
    return tuple(_read_finding(item) for item in _bounded(value, "findings", TRIP_FINDINGS_MAX))


def _read_finding(item: object) -> Finding:
    code, severity, begin, end, values = cbor.take_list(item, "a finding", 5)
    from_ms, to_ms = _interval([begin, end], "a finding")
    return Finding(
        _known(FindingCode, cbor.take_uint(code, "a finding"), "a finding"),
        _known(FindingClass, cbor.take_uint(severity, "a finding's class"), "a finding"),
        from_ms,
        to_ms,
        tuple(_bounded_ints(values)),
    )


def _bounded_ints(values: object) -> Sequence[int]:
    items = _bounded(values, "values of a finding", TRIP_VALUES_MAX)
    if any(type(item) is not int or abs(item) > INT64_MAX for item in items):
        raise malformed("a value of a finding is not an integer")
    return items


def _read_remarks(value: object) -> dict[Remark, int]:
    known = tuple(int(remark) for remark in Remark)
    fields = cbor.take_map(value, "remarks", (), known)
    return {Remark(key): cbor.take_uint(count, "a remark") for key, count in fields.items()}
