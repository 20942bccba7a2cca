"""A trip as JSON: the signed content, cut down to what a grant opens."""

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from exchange.api.bodies import time_of
from exchange.grants.model import TRIP_FIELDS
from exchange.trips.readable import TripRow
from schemas.catalogue import EVENTS
from schemas.cose.sign1 import parse
from schemas.statements.device_key import (
    AGENT_MEASURED,
    PLATFORM_REPORTED,
    TERMINAL_REPORTED,
)
from schemas.statements.grant import Precision
from schemas.statements.trip import Trip, decode
from schemas.statements.trip_content import Finding, Interval, Position, TripContent, TripEvent

Assurance = Literal["agent-measured", "terminal-reported", "platform-reported"]
_ASSURANCE: dict[int, Assurance] = {
    AGENT_MEASURED: "agent-measured",
    TERMINAL_REPORTED: "terminal-reported",
    PLATFORM_REPORTED: "platform-reported",
}

_SPEED_SCALE = 100
_DEGREE_SCALE = 10_000_000


class PositionBody(BaseModel):
    """WGS 84, degrees."""

    latitude: float
    longitude: float


class Moment(BaseModel):
    """When, by which rule, and where; ``position`` is null without a fix or an exact grant."""

    at: str
    rule: str
    position: PositionBody | None


class Distance(BaseModel):
    """Metres; null where the source was absent."""

    odometer_m: int | None
    gnss_m: float | None
    gnss_chords_m: Annotated[float | None, Field(description="Of gnss_m: across gaps.")]


class Duration(BaseModel):
    """Seconds."""

    moving_s: float
    standing_s: float
    gap_s: float


class Speed(BaseModel):
    """km/h."""

    highest_kmh: float
    mean_moving_kmh: float


class Span(BaseModel):
    """From and to, UTC."""

    start: str
    end: str


class EventBody(BaseModel):
    """An event that the truck signed; id and name are the catalogue's."""

    at: str
    event_id: int
    name: str | None


class FindingBody(BaseModel):
    """What a plausibility check found."""

    code: str
    severity: str
    start: str
    end: str
    values: list[int]


class TripBody(BaseModel):
    """A trip's newest revision. ``index`` is its leaf, ``digest`` its statement's SHA-256."""

    id: str
    index: int
    revision: int
    digest: str
    content_digest: str
    carrier: str
    vehicle: str
    derivation: int
    assurance: Annotated[
        Assurance, Field(description="Who measured: the weakest of the devices behind it.")
    ]
    samples: int
    conflicts: int
    statements: Annotated[int, Field(description="Segments and gaps that it was derived from.")]
    chain_faults: int
    start: Moment | None
    end: Moment | None
    distance: Distance | None
    duration: Duration | None
    speed: Speed | None
    stops: list[Span] | None
    gaps: list[Span] | None
    events: list[EventBody] | None
    findings: list[FindingBody] | None


class TripList(BaseModel):
    """Trips by ascending log index; no ``next_cursor``: that was the last one for now."""

    items: list[TripBody]
    next_cursor: str | None
    derived_to: Annotated[
        int,
        Field(description="Leaves before this are in every trip that they lead to."),
    ]


def trip_body(row: TripRow) -> TripBody:
    """What the row's grant opens of its trip."""
    read = decode(parse(row.raw).payload)
    whole = _whole(row, read)
    if row.open_fields is None:
        return whole
    closed = {name: None for name in TRIP_FIELDS if name not in row.open_fields}
    return whole.model_copy(update=closed)


def _whole(row: TripRow, read: Trip) -> TripBody:
    content = read.content
    exact = row.open_precision == Precision.EXACT
    return TripBody(
        id=content.trip_id.hex(),
        index=row.index,
        revision=read.provenance.revision,
        digest=row.digest.hex(),
        content_digest=content.digest.hex(),
        carrier=content.carrier,
        vehicle=content.vehicle,
        derivation=content.derivation,
        assurance=_ASSURANCE[content.assurance],
        samples=content.samples,
        conflicts=content.conflicts,
        statements=len(read.provenance.inputs),
        chain_faults=len(read.provenance.faults),
        start=_moment(*content.start, content.start_position if exact else None),
        end=_moment(*content.end, content.end_position if exact else None),
        distance=_distance(content),
        duration=Duration(
            moving_s=content.moving_ms / 1_000,
            standing_s=content.standing_ms / 1_000,
            gap_s=content.gap_ms / 1_000,
        ),
        speed=_speed(content),
        stops=[_span(stop) for stop in content.stops],
        gaps=[_span(gap) for gap in content.gaps],
        events=[_event(event) for event in content.events],
        findings=[_finding(finding) for finding in content.findings],
    )


def _word(name: str) -> str:
    return name.lower().replace("_", "-")


def _moment(at_ms: int, rule: IntEnum, position: Position | None) -> Moment:
    where = None
    if position is not None:
        latitude, longitude = position
        where = PositionBody(latitude=latitude / _DEGREE_SCALE, longitude=longitude / _DEGREE_SCALE)
    return Moment(at=time_of(at_ms), rule=_word(rule.name), position=where)


def _distance(content: TripContent) -> Distance:
    return Distance(
        odometer_m=content.odometer_m,
        gnss_m=None if content.gnss_mm is None else content.gnss_mm / 1_000,
        gnss_chords_m=None if content.chords is None else content.chords[0] / 1_000,
    )


def _speed(content: TripContent) -> Speed | None:
    if content.speed is None:
        return None
    highest, mean = content.speed
    return Speed(highest_kmh=highest / _SPEED_SCALE, mean_moving_kmh=mean / _SPEED_SCALE)


def _span(span: Interval) -> Span:
    return Span(start=time_of(span[0]), end=time_of(span[1]))


def _event(event: TripEvent) -> EventBody:
    return EventBody(
        at=time_of(event.at_ms),
        event_id=event.event_id,
        name=EVENTS.get(event.event_id),
    )


def _finding(finding: Finding) -> FindingBody:
    return FindingBody(
        code=_word(finding.code.name),
        severity=_word(finding.severity.name),
        start=time_of(finding.from_ms),
        end=time_of(finding.to_ms),
        values=list(finding.values),
    )
