"""From a vehicle's segments to what is derived from: samples, events, and the devices behind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exchange.derive.samples import (
    Flags,
    Int64s,
    Part,
    Samples,
    event_at,
    merge,
    merge_events,
    parts_of,
)
from schemas.segment import Segment
from schemas.statements.trip_content import TripEvent


@dataclass(frozen=True, slots=True)
class DeviceSegment:
    """A segment and the device that signed it (its name within the carrier)."""

    device: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Bound:
    """A device speaks for the vehicle from ``from_ms`` until before ``to_ms`` (None: still)."""

    device: str
    from_ms: int
    to_ms: int | None

    def covers(self, times: Int64s) -> Flags:
        """Which of these times lie within."""
        later: Flags = times >= self.from_ms
        return later if self.to_ms is None else later & (times < self.to_ms)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one vehicle's derivation reads; sources are numbered in the order of ``devices``."""

    samples: Samples
    events: tuple[TripEvent, ...]
    devices: tuple[str, ...]
    unbound: int
    """Segments left out because no binding covers any sample of theirs."""

    def assurance(self, levels: Mapping[str, int]) -> list[int]:
        """The devices' assurance levels by number of the source; ``KeyError`` for one unknown."""
        return [levels[device] for device in self.devices]

    def clipped(self, from_ms: int, to_ms: int) -> "Inputs":
        """Samples and events from one time to another, both included."""
        events = tuple(event for event in self.events if from_ms <= event.at_ms <= to_ms)
        return Inputs(self.samples.clipped(from_ms, to_ms), events, self.devices, self.unbound)


def gather(segments: Sequence[DeviceSegment], bounds: Sequence[Bound]) -> Inputs:
    """Samples and events that a binding covers; driver-class segments are no part of trips.

    ``StatementRefused`` when a segment's columns are malformed.
    """
    read = [one for one in segments if not one.segment.driver_class]
    devices = tuple(sorted({one.device for one in read}))
    number = {device: source for source, device in enumerate(devices)}
    spans = {device: [one for one in bounds if one.device == device] for device in devices}
    parts = parts_of([(number[one.device], one.segment) for one in read])
    bound = [_bound_rows(part, spans[devices[part.source]]) for part in parts]
    events = (
        event
        for one in read
        for event in (event_at(one.segment, raw) for raw in one.segment.events)
        if _is_bound(event.at_ms, spans[one.device])
    )
    return Inputs(
        samples=merge(bound),
        events=merge_events(events),
        devices=devices,
        unbound=sum(not len(part.times) for part in bound),
    )


def _bound_rows(part: Part, spans: Iterable[Bound]) -> Part:
    kept = np.zeros(len(part.times), np.bool_)
    for span in spans:
        kept |= span.covers(part.times)
    return part if kept.all() else part.rows(kept)


def _is_bound(at_ms: int, spans: Iterable[Bound]) -> bool:
    times = np.array([at_ms], np.int64)
    return any(span.covers(times).all() for span in spans)
