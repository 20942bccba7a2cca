"""The same content whatever happened to the samples, and from a trip's own samples alone."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.derive.inputs import Bound, DeviceSegment, gather
from exchange.derive.samples import IGNITION, Samples, merge
from exchange.derive.thresholds import CURRENT
from exchange.derive.trips import Derivation, derive_trips
from schemas.catalogue import EVENT_END_OF_SOURCE
from schemas.segment import Segment, read_segment_strict
from schemas.segment import encode_segment as encode
from schemas.statements.trip_content import TripContent, TripEvent
from tests.exchange.derive.recordings import (
    Drive,
    Row,
    derived,
    part_of,
    recorded,
    segments_of,
    vehicle,
)

SPEEDS = (0, 0, 90, 250, 310, 2_000, 5_000, 9_000)
ENGINES = (None, None, 0, 2_400)


@st.composite
def stretches(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What a vehicle does, some minutes at a time: drives, crawls, stands, falls silent."""
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "seconds": st.sampled_from([1, 3, 7, 40, 200, 330, 700, 3_700]),
                    "step_ms": st.sampled_from([1_000, 1_000, 1_500, 9_000, 30_000]),
                    "speed": st.sampled_from(SPEEDS),
                    "engine": st.sampled_from(ENGINES),
                    "ignition": st.sampled_from([None, None, None, 2, 4]),
                    "silent": st.sampled_from([False, False, False, True]),
                    "sources": st.sampled_from([(1,), (8,), (1, 8), ()]),
                    "gnss": st.booleans(),
                    "sparse": st.booleans(),
                    "ends": st.sampled_from([False, False, False, False, True]),
                }
            ),
            min_size=1,
            max_size=12,
        )
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], list[TripEvent]]:
    """Rows and events of a made-up history; every third drawn speed is missing when sparse."""
    rows: list[Row] = []
    events: list[TripEvent] = []
    at_ms, north = 1_700_000_000_000, 0
    for one in draw(stretches()):
        until = at_ms + 1_000 * one["seconds"]
        step = one["step_ms"]
        while at_ms < until:
            if not one["silent"]:
                rows.append((at_ms, _values(one, north, len(rows))))
            at_ms += step
            north += one["speed"] * step // 360 * 9 // 100
        if one["ends"] and rows:
            events.append(TripEvent(rows[-1][0] + 10, EVENT_END_OF_SOURCE))
    return rows or [(at_ms, {1: 0})], events


def _values(one: dict[str, Any], north: int, place: int) -> dict[int, int]:
    values: dict[int, int] = {}
    if one["gnss"]:
        values |= {4: 520_000_000 + north + place % 3 * 4, 5: 100_000_000}
    for signal in one["sources"]:
        if not (one["sparse"] and place % 3):
            values[signal] = one["speed"]
    if one["engine"] is not None:
        values[13] = one["engine"]
    if one["ignition"] is not None:
        values[IGNITION] = one["ignition"]
    if place % 5 == 0:
        values[3] = 1_000_000 + north // 90
    return values


def _derive(samples: Samples, events: list[TripEvent], devices: int = 2) -> Derivation:
    return derive_trips(samples, events, vehicle(devices), CURRENT)


def _again(samples: Samples, events: list[TripEvent], trip: TripContent) -> TripContent:
    begin, end = trip.window
    inside = [event for event in events if begin <= event.at_ms <= end]
    return _derive(samples.clipped(begin, end), inside).trips[0]


PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PROPERTY
@given(histories(), st.booleans())
def test_a_trip_follows_from_the_samples_of_its_window_alone(
    history: tuple[list[Row], list[TripEvent]], second_device: bool
) -> None:
    rows, events = history
    parts = [part_of(rows)]
    if second_device:
        half = [(at_ms + place % 2 * 300, row) for place, (at_ms, row) in enumerate(rows[::3])]
        parts.append(part_of(half, 1))
    samples = merge(parts)

    for trip in _derive(samples, events).trips:
        assert _again(samples, events, trip).digest == trip.digest


@PROPERTY
@given(histories(), st.data())
def test_deriving_in_steps_gives_the_trips_of_deriving_at_once(
    history: tuple[list[Row], list[TripEvent]], data: st.DataObject
) -> None:
    """What the exchange does as segments come in: go on from where everything was settled."""
    rows, events = history
    samples = merge([part_of(rows)])
    at_once = _derive(samples, events).trips
    times = data.draw(st.lists(st.sampled_from([at_ms for at_ms, _ in rows]), max_size=6))
    in_steps: dict[bytes, TripContent] = {}
    settled = -1
    for until in [*sorted(times), rows[-1][0] + 10]:
        known = [event for event in events if event.at_ms <= until]
        found = _derive(samples.clipped(settled + 1, until), known)
        in_steps |= {trip.trip_id: trip for trip in found.trips}
        settled = max(settled, found.settled_ms or -1)

    assert [trip.digest for trip in in_steps.values()] == [trip.digest for trip in at_once]


@PROPERTY
@given(st.data())
def test_content_is_the_same_for_any_order_duplication_and_cut(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["comma2k19", "driveplotr_33", "eclipse_fms_truck"]))
    drive = recorded(name)
    whole = _from_segments(segments_of(drive.rows, (), drive.events))
    cuts = data.draw(st.lists(st.integers(1, len(drive.rows) - 1), max_size=40))
    segments = segments_of(drive.rows, cuts, drive.events)
    again = data.draw(st.lists(st.sampled_from(segments), max_size=10))
    shuffled = data.draw(st.permutations([*segments, *again]))

    assert _from_segments(shuffled) == whole == [trip.digest for trip in derived(drive).trips]


def _from_segments(segments: list[Segment]) -> list[bytes]:
    read = [DeviceSegment("dev-1", read_segment_strict(encode(one))) for one in segments]
    inputs = gather(read, [Bound("dev-1", 0, None)])
    return [trip.digest for trip in _derive(inputs.samples, list(inputs.events)).trips]


def test_samples_outside_of_every_binding_are_left_out() -> None:
    drive = recorded("comma2k19")
    middle = drive.rows[30][0]
    read = [DeviceSegment("dev-1", one) for one in segments_of(drive.rows, [20, 40])]

    inputs = gather(read, [Bound("dev-1", middle, None), Bound("dev-2", 0, None)])

    assert inputs.samples.times[0] == middle
    assert inputs.unbound == 1
    assert len(gather(read, []).samples) == 0


def test_driver_class_segments_are_no_part_of_a_trip() -> None:
    drive = recorded("comma2k19")
    segments = segments_of(drive.rows, [20], drive.events)
    read = [DeviceSegment("dev-1", one) for one in segments]
    driver = DeviceSegment("dev-1", replace(segments[0], driver_class=True))
    bounds = [Bound("dev-1", 0, None)]

    with_driver = gather([*read, driver], bounds)

    assert np.array_equal(with_driver.samples.times, gather(read, bounds).samples.times)
    assert with_driver.unbound == 0


def test_late_data_in_a_gap_changes_the_trip_but_not_its_id() -> None:
    drive = recorded("driveplotr_5")
    with_hole = Drive(drive.rows[:300] + drive.rows[340:], drive.source_end_ms)
    (late,), (early,) = derived(drive).trips, derived(with_hole).trips

    assert late.trip_id == early.trip_id
    assert late.digest != early.digest
    assert early.gaps != late.gaps
