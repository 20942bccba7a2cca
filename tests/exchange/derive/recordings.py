"""Recorded and made-up drives as the columns, segments and statements that derivation reads."""

import csv
import gzip
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from exchange.derive.samples import (
    ENGINE_SPEED,
    GNSS_SPEED,
    LATITUDE,
    LONGITUDE,
    ODOMETER_FINE,
    SPEED,
    TACHOGRAPH_SPEED,
    Part,
    Samples,
    merge,
)
from exchange.derive.thresholds import CURRENT
from exchange.derive.trips import Derivation, Vehicle, derive_trips
from schemas.catalogue import EVENT_END_OF_SOURCE
from schemas.columns import encode_column
from schemas.samples import Block
from schemas.segment import Segment, SegmentEvent
from schemas.statements.trip_content import TripContent, TripEvent

DRIVES = Path(__file__).parents[2] / "data" / "trips"

_SIGNAL_OF = {
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "gnss_speed": GNSS_SPEED,
    "speed": SPEED,
    "tachograph_speed": TACHOGRAPH_SPEED,
    "odometer_m": ODOMETER_FINE,
    "engine_speed": ENGINE_SPEED,
}

Row = tuple[int, Mapping[int, int]]
"""Time in ms, and value by signal id."""

CARRIER, VEHICLE = "acme", "v-1"

MM_PER_DEGREE = 111_267_000
"""Of a meridian at 52 N."""


@dataclass(frozen=True)
class Drive:
    """Rows ascending by time, and the time of the end of the source (None: it fell silent)."""

    rows: tuple[Row, ...]
    source_end_ms: int | None

    @property
    def part(self) -> Part:
        return part_of(self.rows)

    @property
    def events(self) -> tuple[TripEvent, ...]:
        if self.source_end_ms is None:
            return ()
        return (TripEvent(self.source_end_ms, EVENT_END_OF_SOURCE),)


def recorded(name: str) -> Drive:
    with gzip.open(DRIVES / f"{name}.csv.gz", "rt") as file:
        rows = tuple(
            (
                int(line["time_ms"]),
                {signal: int(line[key]) for key, signal in _SIGNAL_OF.items() if line[key]},
            )
            for line in csv.DictReader(file)
        )
    return Drive(rows, rows[-1][0])


def part_of(rows: Sequence[Row], source: int = 0) -> Part:
    signals = sorted({signal for _, values in rows for signal in values})
    columns = {
        signal: (
            np.array([values.get(signal, 0) for _, values in rows], np.int64),
            np.array([signal in values for _, values in rows], np.bool_),
        )
        for signal in signals
    }
    return Part(source, np.array([at_ms for at_ms, _ in rows], np.int64), columns)


def vehicle(devices: int = 1) -> Vehicle:
    return Vehicle(CARRIER, VEHICLE, [1] * devices)


def derived(drive: Drive) -> Derivation:
    return derive_trips(merge([drive.part]), drive.events, vehicle(), CURRENT)


def trips_of(drive: Drive) -> tuple[TripContent, ...]:
    return derived(drive).trips


def only_trip(drive: Drive) -> TripContent:
    (trip,) = trips_of(drive)
    return trip


def with_values(drive: Drive, changed: Mapping[int, Mapping[int, int]]) -> Drive:
    """The drive with other values at some times: time in ms -> signal id -> value."""
    rows = tuple((at, {**values, **changed.get(at, {})}) for at, values in drive.rows)
    return replace(drive, rows=rows)


def segments_of(
    rows: Sequence[Row], cuts: Iterable[int] = (), events: Sequence[TripEvent] = ()
) -> list[Segment]:
    """Segments of one device, cut before the rows of these numbers; events go to the last one."""
    edges = sorted({0, len(rows), *(cut for cut in cuts if 0 < cut < len(rows))})
    pieces = [rows[begin:end] for begin, end in itertools.pairwise(edges)]
    last = len(pieces) - 1
    return [_segment(piece, seq, events if seq == last else ()) for seq, piece in enumerate(pieces)]


def _segment(rows: Sequence[Row], seq: int, events: Sequence[TripEvent]) -> Segment:
    t0 = rows[0][0]
    offsets = [at_ms - t0 for at_ms, _ in rows]
    steps = {later - earlier for earlier, later in itertools.pairwise(offsets)}
    step = 1000 if not steps else steps.pop() if len(steps) == 1 else None
    signals = sorted({signal for _, values in rows for signal in values})
    columns = {
        signal: encode_column([values.get(signal) for _, values in rows]) for signal in signals
    }
    return Segment(
        boot=bytes(8),
        seq=seq,
        prev=bytes(32) if seq else b"",
        t0=t0,
        block=Block(
            n=len(rows),
            step_ms=step,
            offsets=encode_column(offsets) if step is None else None,
            columns={signal: column for signal, column in columns.items() if column},
        ),
        events=tuple(SegmentEvent(one.at_ms - t0, one.event_id, one.detail) for one in events),
        clock=(3, 10),
        salt=bytes(16),
        mono=0,
    )


def made(*stretches: "Stretch", start_ms: int = 1_700_000_000_000) -> Drive:
    """A made-up drive north from 52 N 10 E, one stretch after the other, at one sample a second."""
    rows: list[Row] = []
    at_ms, north_mm = start_ms, 0
    for stretch in stretches:
        for _ in range(stretch.seconds):
            if not stretch.silent:
                rows.append((at_ms, stretch.values(north_mm)))
            at_ms += 1000
            north_mm += stretch.speed * 1000 // 360
    return Drive(tuple(rows), None)


@dataclass(frozen=True)
class Stretch:
    """Some seconds at one speed (0.01 km/h)."""

    seconds: int
    speed: int = 0
    engine: int | None = None
    """0.25 rpm; None: no engine source."""
    silent: bool = False
    gnss: bool = True
    odometer: bool = False

    def values(self, north_mm: int) -> dict[int, int]:
        values = {SPEED: self.speed}
        if self.gnss:
            north = north_mm * 10_000_000 // MM_PER_DEGREE
            values |= {LATITUDE: 520_000_000 + north, LONGITUDE: 100_000_000}
        if self.engine is not None:
            values[ENGINE_SPEED] = self.engine
        if self.odometer:
            values[ODOMETER_FINE] = 1_000_000 + north_mm // 1000
        return values


def merged(*drives: Drive) -> Samples:
    return merge([drive.part for drive in drives])
