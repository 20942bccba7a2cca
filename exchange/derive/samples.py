"""One vehicle's samples: decoded segments merged, sorted, and each moment of a source kept once.

The result depends on what was measured alone, not on the order, number or cut of the segments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exchange.derive.columns import block_times_ms, decode_columns
from schemas.catalogue import BY_PATH
from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import INT64_MAX, INT64_MIN, TIME_MS_MAX
from schemas.segment import Segment, SegmentEvent
from schemas.statements.trip_content import TripEvent

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]

SPEED = BY_PATH["Vehicle.Speed"].id
TACHOGRAPH_SPEED = BY_PATH["Vehicle.Tachograph.VehicleSpeed"].id
GNSS_SPEED = BY_PATH["Vehicle.CurrentLocation.Speed"].id
LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"].id
LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"].id
ODOMETER = BY_PATH["Vehicle.TraveledDistance"].id
ODOMETER_FINE = BY_PATH["Vehicle.TraveledDistanceHighRes"].id
ENGINE_SPEED = BY_PATH["Vehicle.Powertrain.CombustionEngine.Speed"].id
ENGINE_RUNNING = BY_PATH["Vehicle.Powertrain.CombustionEngine.IsRunning"].id
IGNITION = BY_PATH["Vehicle.LowVoltageSystemState"].id

READ = (
    SPEED,
    TACHOGRAPH_SPEED,
    GNSS_SPEED,
    LATITUDE,
    LONGITUDE,
    ODOMETER,
    ODOMETER_FINE,
    ENGINE_SPEED,
    ENGINE_RUNNING,
    IGNITION,
)
"""The signals that a trip rests on."""


@dataclass(frozen=True, slots=True)
class Series:
    """One signal: n values in catalogue scale; those not ``present`` mean nothing."""

    values: Int64s
    present: Flags

    def __getitem__(self, part: slice) -> "Series":
        return Series(self.values[part], self.present[part])


@dataclass(frozen=True, slots=True)
class Samples:
    """n samples of one vehicle by (time, source), each once; times in ms since 1970 UTC."""

    times: Int64s
    sources: Int64s
    """Numbers of the devices, in the order of their names."""
    series: Mapping[int, Series]
    """For every signal of ``READ``."""
    conflict_times: Int64s
    """The times, ascending, at which one source gave two values of a signal; once per signal."""

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, part: slice) -> "Samples":
        """Some samples in a row; the conflicts stay those of all."""
        series = {signal: one[part] for signal, one in self.series.items()}
        return replace(self, times=self.times[part], sources=self.sources[part], series=series)

    def clipped(self, from_ms: int, to_ms: int) -> "Samples":
        """The samples from one time to another, both included."""
        return self[slice(self.first_from(from_ms), self.first_after(to_ms))]

    def first_from(self, at_ms: int) -> int:
        """Index of the first sample at this time or later; n when there is none."""
        return int(np.searchsorted(self.times, at_ms, side="left"))

    def first_after(self, at_ms: int) -> int:
        """Index of the first sample later than this time; n when there is none."""
        return int(np.searchsorted(self.times, at_ms, side="right"))


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of one source, in any order; columns as (values, present) by signal id."""

    source: int
    times: Int64s
    columns: Mapping[int, tuple[Int64s, Flags]]

    def rows(self, kept: Flags) -> "Part":
        """Only these rows."""
        columns = {key: (values[kept], some[kept]) for key, (values, some) in self.columns.items()}
        return Part(self.source, self.times[kept], columns)


def parts_of(segments: Sequence[tuple[int, Segment]]) -> list[Part]:
    """Decode segments, each with the number of its source; ``StatementRefused`` for a bad column.

    Bursts are left out: trips rest on what is sampled all the time.
    """
    blocks = [segment.block for _, segment in segments]
    wanted = [
        (place, signal, block.columns[signal])
        for place, block in enumerate(blocks)
        for signal in READ
        if signal in block.columns
    ]
    decoded = decode_columns(
        [column for _, _, column in wanted], [blocks[place].n for place, _, _ in wanted]
    )
    if not decoded.good.all():
        raise malformed("a column breaks a rule of its encoding")
    columns: list[dict[int, tuple[Int64s, Flags]]] = [{} for _ in blocks]
    for at, (place, signal, _) in enumerate(wanted):
        columns[place][signal] = decoded.column(at)
    return [
        _part(source, segment.t0 + block_times_ms(segment.block), columns[place])
        for place, (source, segment) in enumerate(segments)
    ]


def merge(parts: Iterable[Part]) -> Samples:
    """All rows of all parts, sorted by (time, source), equal ones made one.

    Of differing values of a signal the smallest is kept and the conflict remembered.
    """
    found = list(parts)
    counts = [len(part.times) for part in found]
    times = _joined([part.times for part in found])
    sources = _joined([np.full(n, part.source) for part, n in zip(found, counts, strict=True)])
    order = np.lexsort((sources, times))
    times, sources = times[order], sources[order]
    fresh = np.ones(len(times), np.bool_)
    fresh[1:] = (times[1:] != times[:-1]) | (sources[1:] != sources[:-1])
    starts = np.flatnonzero(fresh)
    series, conflicts = {}, [np.empty(0, np.int64)]
    for signal in READ:
        values, present = _column(found, counts, signal)
        one, differing = _deduplicated(values[order], present[order], starts)
        series[signal] = one
        conflicts.append(times[starts][differing])
    return Samples(times[starts], sources[starts], series, np.sort(_joined(conflicts)))


def merge_events(events: Iterable[TripEvent]) -> tuple[TripEvent, ...]:
    """Events in the order of time, id and detail, equal ones once."""
    known = {_event_key(event): event for event in events}
    return tuple(known[key] for key in sorted(known))


def event_at(segment: Segment, event: SegmentEvent) -> TripEvent:
    """A segment's event with the time at which it happened."""
    return TripEvent(segment.t0 + event.offset_ms, event.event_id, event.detail)


def _part(source: int, times: Int64s, columns: dict[int, tuple[Int64s, Flags]]) -> Part:
    """Without the rows of times that no calendar has (sums beyond int64 are negative here)."""
    part = Part(source, times, columns)
    kept = (times >= 0) & (times <= TIME_MS_MAX)
    return part if kept.all() else part.rows(kept)


def _event_key(event: TripEvent) -> tuple[int, int, bytes]:
    return event.at_ms, event.event_id, cbor.encode(event.detail)


def _joined(arrays: Sequence[Int64s]) -> Int64s:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)


def _column(parts: Sequence[Part], counts: Sequence[int], signal: int) -> tuple[Int64s, Flags]:
    values = np.zeros(sum(counts), np.int64)
    present = np.zeros(sum(counts), np.bool_)
    end = 0
    for part, count in zip(parts, counts, strict=True):
        if signal in part.columns:
            values[end : end + count], present[end : end + count] = part.columns[signal]
        end += count
    return values, present


def _deduplicated(values: Int64s, present: Flags, starts: Int64s) -> tuple[Series, Flags]:
    if len(starts) == len(values):
        return Series(np.where(present, values, 0), present), np.zeros(len(values), np.bool_)
    lowest = np.minimum.reduceat(np.where(present, values, INT64_MAX), starts)
    highest = np.maximum.reduceat(np.where(present, values, INT64_MIN), starts)
    some = np.logical_or.reduceat(present, starts)
    return Series(np.where(some, lowest, 0), some), some & (lowest < highest)
