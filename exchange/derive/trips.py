"""Trips out of one vehicle's samples: a pure function, integers throughout (docs/trips.md)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exchange.derive.boundaries import Closed, find_boundaries
from exchange.derive.distance import Fixes, Path, fixes_by_source, path_along, usable_fixes
from exchange.derive.motion import Motion, motion_of, rolling_of, still_runs
from exchange.derive.odometer import Odometer, odometer_of
from exchange.derive.plausibility import Evidence, findings_of
from exchange.derive.samples import (
    GNSS_SPEED,
    LATITUDE,
    LONGITUDE,
    SPEED,
    TACHOGRAPH_SPEED,
    Flags,
    Int64s,
    Samples,
)
from exchange.derive.thresholds import Thresholds
from schemas.catalogue import EVENT_END_OF_SOURCE, EVENT_VIN
from schemas.cose import cbor
from schemas.limits import (
    TIME_MS_MAX,
    TRIP_EVENT_DETAIL_BYTES_MAX,
    TRIP_EVENTS_MAX,
    TRIP_FINDINGS_MAX,
    TRIP_GAPS_MAX,
    TRIP_ID_BYTES,
    TRIP_STOPS_MAX,
)
from schemas.statements.trip_content import (
    Interval,
    Position,
    Remark,
    TripContent,
    TripEvent,
)

VERSION = 1
"""Of the rules in this package; a record says which one it follows."""

_NOT_COPIED = frozenset({EVENT_END_OF_SOURCE, EVENT_VIN})
"""The end is a rule of the trip already; the VIN would undo the vehicle's pseudonym."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """Whose samples these are; ``assurance`` by the number of the source."""

    carrier: str
    pseudonym: str
    assurance: Sequence[int]


@dataclass(frozen=True, slots=True)
class Derivation:
    """Trips that ended, in order, and from where to go on when there are more samples."""

    trips: tuple[TripContent, ...]
    settled_ms: int | None
    """Later samples alone give the later trips; None: nothing is settled."""
    judged_ms: int | None
    """Samples after this cannot change what is settled."""
    open_from_ms: int | None


@dataclass(frozen=True, slots=True)
class _Road:
    """What a trip's samples, first to last, say of the way."""

    body: Samples
    motion: Motion
    rolling: Flags
    fixes: Fixes | None
    path: Path | None
    odometer: Odometer | None


def derive_trips(
    samples: Samples, events: Sequence[TripEvent], vehicle: Vehicle, limits: Thresholds
) -> Derivation:
    """All trips that ended within the samples; events ascending by time (``merge_events``)."""
    samples = samples.clipped(limits.earliest_ms, TIME_MS_MAX)
    ends = [event.at_ms for event in events if event.event_id == EVENT_END_OF_SOURCE]
    bounds = find_boundaries(samples, ends, limits)
    found = (_trip(samples, closed, events, vehicle, limits) for closed in bounds.closed)
    trips = tuple(trip for trip in found if trip is not None)
    return Derivation(trips, bounds.settled_ms, bounds.judged_ms, bounds.open_from_ms)


def trip_id_of(carrier: str, vehicle: str, first_moving_ms: int) -> bytes:
    """The 16 bytes that name the trip which first moves at this time."""
    named = cbor.encode(["haulproof-trip", carrier, vehicle, first_moving_ms])
    return hashlib.sha256(named).digest()[:TRIP_ID_BYTES]


def _trip(
    samples: Samples,
    closed: Closed,
    events: Sequence[TripEvent],
    vehicle: Vehicle,
    limits: Thresholds,
) -> TripContent | None:
    """The content, or None for what was no trip: it never moved, or not far enough."""
    part = samples[closed.first : closed.stop]
    road = _road(part, closed.last - closed.first + 1, limits)
    times = road.body.times
    moving = np.flatnonzero(road.motion.moving[: len(times)])
    if not len(moving) or _farthest_mm(road, limits) < limits.trip_distance_mm:
        return None
    start_ms, end_ms, first_moving = int(times[0]), int(times[-1]), int(times[moving[0]])
    durations = _durations(road, limits)
    stops = _stops(road, int(moving[0]), int(moving[-1]), limits)
    gaps = _gaps(times, limits)
    copied, left_out = _copied(events, start_ms, end_ms)
    evidence = Evidence(start_ms, end_ms, road.odometer, road.fixes, road.path)
    findings = findings_of(evidence, limits)
    remarks = _remarks(road, limits) | {
        Remark.STOPS_NOT_LISTED: len(stops) - TRIP_STOPS_MAX,
        Remark.GAPS_NOT_LISTED: len(gaps) - TRIP_GAPS_MAX,
        Remark.EVENTS_NOT_LISTED: left_out,
        Remark.FINDINGS_NOT_LISTED: len(findings) - TRIP_FINDINGS_MAX,
    }
    conflicts = np.searchsorted(road.body.conflict_times, [start_ms, end_ms + 1])
    path, odometer = road.path, road.odometer
    return TripContent(
        trip_id=trip_id_of(vehicle.carrier, vehicle.pseudonym, first_moving),
        carrier=vehicle.carrier,
        vehicle=vehicle.pseudonym,
        derivation=VERSION,
        thresholds=limits.digest,
        window=(start_ms, closed.decided_ms),
        start=(start_ms, closed.start_rule),
        end=(end_ms, closed.end_rule),
        first_moving_ms=first_moving,
        moving_ms=durations[0],
        standing_ms=durations[1],
        gap_ms=durations[2],
        samples=len(road.body),
        conflicts=int(conflicts[1] - conflicts[0]),
        assurance=max(vehicle.assurance[source] for source in np.unique(part.sources)),
        odometer_m=odometer.driven_mm // 1000 if odometer else None,
        gnss_mm=path.driven_mm if path else None,
        chords=path.across_gaps if path else None,
        speed=_speeds(road, limits),
        stops=tuple(stops[:TRIP_STOPS_MAX]),
        gaps=tuple(gaps[:TRIP_GAPS_MAX]),
        start_position=_position(road.fixes, 0),
        end_position=_position(road.fixes, -1),
        odometer=_readings(odometer),
        events=copied,
        findings=tuple(findings[:TRIP_FINDINGS_MAX]),
        remarks={remark: count for remark, count in remarks.items() if count > 0},
    )


def _road(part: Samples, n: int, limits: Thresholds) -> _Road:
    """The first n samples of the part, judged with those behind them in sight."""
    body, motion = part[:n], motion_of(part, limits)
    rolling = rolling_of(motion.speeds[:n], motion.moving[:n], limits)
    sources = [fixes for fixes in fixes_by_source(body) if len(fixes) >= 2]
    fixes = max(sources, key=len, default=None)  # the first among equals
    path = path_along(fixes, rolling, limits) if fixes else None
    return _Road(body, motion, rolling, fixes, path, odometer_of(body, limits))


def _farthest_mm(road: _Road, limits: Thresholds) -> int:
    """The longest of what odometer, fixes and speed say: enough to tell whether it was a trip."""
    speeds, steps = _rolling_steps(road, limits)
    by_speed = int((speeds * steps).sum()) // 360
    return max(
        by_speed,
        road.odometer.driven_mm if road.odometer else 0,
        road.path.driven_mm if road.path else 0,
    )


def _rolling_steps(road: _Road, limits: Thresholds) -> tuple[Int64s, Int64s]:
    """Speed and ms of every step between samples, outside gaps, in which it rolled."""
    steps = np.diff(road.body.times)
    speeds = road.motion.speeds[: len(steps)]
    counted = road.rolling[:-1] & (steps <= limits.gap_ms) & (speeds >= 0)
    return speeds[counted], steps[counted]


def _durations(road: _Road, limits: Thresholds) -> tuple[int, int, int]:
    """Milliseconds moving, standing, and in gaps: together the trip's duration."""
    steps = np.diff(road.body.times)
    gap = steps > limits.gap_ms
    moving = int(steps[road.rolling[:-1] & ~gap].sum())
    gaps = int(steps[gap].sum())
    return moving, int(steps.sum()) - moving - gaps, gaps


def _stops(road: _Road, first_moving: int, last_moving: int, limits: Thresholds) -> list[Interval]:
    inside = slice(first_moving, last_moving + 1)
    times = road.body.times[inside]
    still = ~road.motion.moving[inside]
    found = []
    for first, behind, on_to_next in still_runs(still, road.motion.displaced[inside]):
        begin, end = int(times[first]), int(times[behind if on_to_next else behind - 1])
        if end - begin >= limits.stop_ms:
            found.append((begin, end))
    return found


def _gaps(times: Int64s, limits: Thresholds) -> list[Interval]:
    rows = np.flatnonzero(np.diff(times) > limits.gap_ms)
    return list(zip(times[rows].tolist(), times[rows + 1].tolist(), strict=True))


def _speeds(road: _Road, limits: Thresholds) -> tuple[int, int] | None:
    """The highest speed, and the mean over the time in which it rolled."""
    speeds, steps = _rolling_steps(road, limits)
    rolled_ms = int(steps.sum())
    if not rolled_ms:
        return None
    highest = int(road.motion.speeds[: len(road.body)].max())
    return highest, int((speeds * steps).sum()) // rolled_ms


def _position(fixes: Fixes | None, at: int) -> Position | None:
    return (int(fixes.latitudes[at]), int(fixes.longitudes[at])) if fixes else None


def _readings(odometer: Odometer | None) -> tuple[int, int] | None:
    if odometer is None:
        return None
    return int(odometer.readings_m[0]), int(odometer.readings_m[-1])


def _copied(
    events: Sequence[TripEvent], start_ms: int, end_ms: int
) -> tuple[tuple[TripEvent, ...], int]:
    """The events of the trip as far as a statement has room, and how many more there were."""
    inside = [
        event
        for event in events
        if start_ms <= event.at_ms <= min(end_ms, TIME_MS_MAX) and event.event_id not in _NOT_COPIED
    ]
    copied: list[TripEvent] = []
    left_bytes = TRIP_EVENT_DETAIL_BYTES_MAX
    for event in inside[:TRIP_EVENTS_MAX]:
        left_bytes -= len(cbor.encode(event.detail))
        if left_bytes < 0:
            break
        copied.append(event)
    return tuple(copied), len(inside) - len(copied)


def _remarks(road: _Road, limits: Thresholds) -> dict[Remark, int]:
    series = road.body.series
    positions = series[LATITUDE].present | series[LONGITUDE].present
    speeds = 0
    for signal in (SPEED, TACHOGRAPH_SPEED, GNSS_SPEED):
        values = series[signal].values
        wrong = (values < 0) | (values > limits.speed_max)
        speeds += int((wrong & series[signal].present).sum())
    return {
        Remark.FIXES_OUT_OF_RANGE: int((positions & ~usable_fixes(road.body)).sum()),
        Remark.SPEEDS_OUT_OF_RANGE: speeds,
        Remark.STANDING_PATH_MM: road.path.standing_mm if road.path else 0,
    }
