"""Every rule of a trip, on recorded drives and on made-up ones that isolate a rule."""

from collections.abc import Mapping

import pytest

from exchange.derive.samples import IGNITION, LATITUDE, LONGITUDE, ODOMETER_FINE, SPEED, merge
from exchange.derive.thresholds import CURRENT
from exchange.derive.trips import VERSION, derive_trips, trip_id_of
from schemas.catalogue import EVENT_END_OF_SOURCE, EVENT_VIN
from schemas.statements.trip_content import EndRule, FindingClass, Remark, StartRule, TripEvent
from tests.exchange.derive.recordings import (
    CARRIER,
    VEHICLE,
    Drive,
    Stretch,
    derived,
    made,
    only_trip,
    part_of,
    recorded,
    trips_of,
    vehicle,
)

KM_MM = 1_000_000
RUNNING, OFF = 2_400, 0
IGNITION_ON, IGNITION_OFF = 4, 2
FIFTY = 5_000


@pytest.mark.parametrize(
    ("name", "km", "tolerance"),
    [
        ("eclipse_covesa", 5.81, 0.02),
        ("css_dk_2021_van", 43.226, 0.01),
        ("css_dk_2024_car", 27.525, 0.01),
        ("driveplotr_5", 8.44, 0.01),
        ("driveplotr_15", 15.85, 0.01),
        ("driveplotr_33", 2.36, 0.03),
        ("comma2k19", 1.011, 0.01),
    ],
)
def test_recorded_drive_is_one_trip_of_its_length_along_fixes(
    name: str, km: float, tolerance: float
) -> None:
    trip = only_trip(recorded(name))

    assert trip.gnss_mm == pytest.approx(km * KM_MM, rel=tolerance)
    assert trip.end[1] is EndRule.SOURCE_ENDED


@pytest.mark.parametrize(
    "name", ["css_dk_2021_van", "css_dk_2024_car", "driveplotr_5", "driveplotr_15", "driveplotr_33"]
)
def test_drive_without_any_speed_source_has_the_same_length(name: str) -> None:
    drive = recorded(name)
    rows = tuple(
        (at, {key: value for key, value in row.items() if key in (LATITUDE, LONGITUDE)})
        for at, row in drive.rows
    )

    found = trips_of(Drive(rows, drive.source_end_ms))

    length = sum(trip.gnss_mm or 0 for trip in found)
    assert length == pytest.approx(only_trip(drive).gnss_mm, rel=0.01)


def test_recorded_truck_is_one_trip_of_its_length_by_odometer() -> None:
    trip = only_trip(recorded("eclipse_fms_truck"))

    assert trip.odometer_m == pytest.approx(7_150, rel=0.01)
    assert trip.start[1] is StartRule.ENGINE
    assert trip.gnss_mm is None
    assert trip.chords is None


@pytest.mark.parametrize(
    "name",
    [
        "truckgps_wandering",
        "truckgps_idle",
        "css_us_2021_idle",
        "css_2021_keyon",
        "eti_j1939_840",
    ],
)
def test_recording_that_never_moves_is_no_trip(name: str) -> None:
    assert trips_of(recorded(name)) == ()


def test_fix_that_wanders_at_a_stop_adds_nothing() -> None:
    """The recorded fix that wanders while the truck idles, put behind a drive that ends there."""
    positions = [row for _, row in recorded("truckgps_wandering").rows if LATITUDE in row]
    drive = made(Stretch(60, FIFTY, engine=RUNNING))
    begin_ms, last = drive.rows[-1][0] + 1_000, drive.rows[-1][1]
    stop = tuple(
        (begin_ms + 1_000 * place, {**last, SPEED: 0, **_moved(last, positions[0], here)})
        for place, here in enumerate(positions)
    )

    trip = only_trip(Drive(drive.rows + stop, stop[-1][0]))

    assert trip.gnss_mm == only_trip(Drive(drive.rows, drive.rows[-1][0])).gnss_mm
    assert trip.remarks[Remark.STANDING_PATH_MM] > 100_000


def _moved(
    anchor: Mapping[int, int], origin: Mapping[int, int], here: Mapping[int, int]
) -> dict[int, int]:
    return {key: anchor[key] + here[key] - origin[key] for key in (LATITUDE, LONGITUDE)}


def test_trip_starts_with_the_ignition() -> None:
    drive = made(Stretch(20), Stretch(60, FIFTY))
    rows = tuple(
        (at, {**row, IGNITION: IGNITION_OFF if place < 7 else IGNITION_ON})
        for place, (at, row) in enumerate(drive.rows)
    )

    trip = only_trip(Drive(rows, rows[-1][0]))

    assert trip.start == (rows[7][0], StartRule.IGNITION)
    assert trip.first_moving_ms == rows[20][0]


def test_trip_starts_with_the_engine_where_the_ignition_is_unknown() -> None:
    drive = made(
        Stretch(10, engine=OFF), Stretch(10, engine=RUNNING), Stretch(60, FIFTY, engine=RUNNING)
    )

    trip = only_trip(Drive(drive.rows, drive.rows[-1][0]))

    assert trip.start == (drive.rows[10][0], StartRule.ENGINE)


def test_trip_starts_with_speed_that_lasts_five_seconds() -> None:
    drive = made(Stretch(10), Stretch(4, 2_000), Stretch(10), Stretch(60, FIFTY))

    trip = only_trip(Drive(drive.rows, drive.rows[-1][0]))

    assert trip.start == (drive.rows[24][0], StartRule.SPEED)
    assert trip.first_moving_ms == drive.rows[24][0]


def test_less_than_200_metres_is_no_trip() -> None:
    short = made(Stretch(5), Stretch(14, FIFTY), Stretch(5))
    longer = made(Stretch(5), Stretch(15, FIFTY), Stretch(5))

    assert trips_of(Drive(short.rows, short.rows[-1][0])) == ()
    assert len(trips_of(Drive(longer.rows, longer.rows[-1][0]))) == 1


def test_trip_ends_when_the_engine_was_off_for_300_seconds() -> None:
    drive = made(Stretch(60, FIFTY, engine=RUNNING), Stretch(400, engine=OFF))

    trip = only_trip(drive)

    assert trip.end == (drive.rows[59][0], EndRule.ENGINE_OFF)
    assert trip.window == (drive.rows[0][0], drive.rows[60 + 300 + 65][0])


def test_trip_ends_after_standing_300_seconds_where_there_is_no_engine_source() -> None:
    drive = made(Stretch(60, FIFTY), Stretch(400))

    assert only_trip(drive).end == (drive.rows[59][0], EndRule.STANDING)


def test_trip_with_a_running_engine_goes_on_over_a_long_stop() -> None:
    drive = made(
        Stretch(60, FIFTY, engine=RUNNING),
        Stretch(1_000, engine=RUNNING),
        Stretch(60, FIFTY, engine=RUNNING),
        Stretch(400, engine=OFF),
    )

    trip = only_trip(drive)

    assert trip.stops == ((drive.rows[60][0], drive.rows[1_060][0]),)
    assert trip.standing_ms == pytest.approx(1_000_000, abs=2_000)


def test_trip_that_has_not_ended_stays_open() -> None:
    drive = made(Stretch(60, FIFTY, engine=RUNNING), Stretch(250, engine=OFF))

    found = derived(drive)

    assert found.trips == ()
    assert found.open_from_ms == drive.rows[0][0]


def test_silence_of_an_hour_ends_a_trip_when_data_comes_after_it() -> None:
    moving = Stretch(60, FIFTY, engine=RUNNING)
    silent = made(moving, Stretch(3_700, silent=True))
    drive = made(moving, Stretch(3_700, silent=True), Stretch(1, engine=OFF))

    assert trips_of(silent) == ()
    assert only_trip(drive).end == (drive.rows[59][0], EndRule.NO_DATA)
    assert only_trip(drive).window[1] == drive.rows[-1][0]


def test_silence_after_the_engine_went_off_ends_the_trip_where_it_went_off() -> None:
    drive = made(
        Stretch(60, FIFTY, engine=RUNNING),
        Stretch(30, engine=OFF),
        Stretch(5_000, silent=True),
        Stretch(1, engine=OFF),
    )

    assert only_trip(drive).end == (drive.rows[59][0], EndRule.ENGINE_OFF)


def test_gap_with_motion_is_a_chord_that_is_stated() -> None:
    drive = made(
        Stretch(60, FIFTY, odometer=True),
        Stretch(70, FIFTY, silent=True),
        Stretch(60, FIFTY, odometer=True),
    )

    trip = only_trip(Drive(drive.rows, drive.rows[-1][0]))

    assert trip.gaps == ((drive.rows[59][0], drive.rows[60][0]),)
    assert trip.gap_ms == 71_000
    assert trip.chords is not None
    assert trip.chords[0] == pytest.approx(71 * 13_888, abs=200)
    assert trip.chords[1] == 1
    assert trip.gnss_mm == pytest.approx(189 * 13_888, rel=0.001)
    assert trip.odometer_m == pytest.approx(189 * 13.888, abs=2)


def test_truck_that_was_moved_while_it_was_silent_has_not_stood() -> None:
    moved = made(
        Stretch(60, FIFTY),
        Stretch(120),
        Stretch(300, FIFTY, silent=True),
        Stretch(120),
    )
    stood = made(Stretch(60, FIFTY), Stretch(120), Stretch(300, silent=True), Stretch(120))

    assert trips_of(moved) == ()
    assert only_trip(stood).end == (stood.rows[59][0], EndRule.STANDING)


def test_trip_of_more_than_a_day_is_cut() -> None:
    idle = Stretch(5 * 3_600, engine=RUNNING)
    drive = made(*[part for _ in range(5) for part in (Stretch(600, FIFTY, engine=RUNNING), idle)])

    first = trips_of(drive)[0]

    assert first.end == (first.start[0] + 86_400_000, EndRule.LONGEST)


def test_two_drives_are_two_trips_with_ids_of_their_own() -> None:
    leg = (Stretch(120, FIFTY), Stretch(400))
    first, second = trips_of(made(*leg, *leg))

    assert first.trip_id != second.trip_id
    assert first.trip_id == trip_id_of(CARRIER, VEHICLE, first.first_moving_ms)
    assert first.window[1] < second.window[0]
    assert first.derivation == VERSION
    assert first.thresholds == CURRENT.digest


def test_unusable_fixes_and_speeds_are_counted_and_left_out() -> None:
    drive = made(Stretch(5), Stretch(60, FIFTY))
    clean = only_trip(Drive(drive.rows, drive.rows[-1][0]))
    spoilt = {10: (-900_000_001, 0), 20: (0, 0), 30: (2**62, 2**62), 40: (-(2**63), 5)}
    rows = tuple(
        (at, {**row, LATITUDE: spoilt[place][0], LONGITUDE: spoilt[place][1]})
        if place in spoilt
        else (at, {**row, SPEED: 40_000} if place == 50 else row)
        for place, (at, row) in enumerate(drive.rows)
    )

    trip = only_trip(Drive(rows, rows[-1][0]))

    assert trip.remarks[Remark.FIXES_OUT_OF_RANGE] == 4
    assert trip.remarks[Remark.SPEEDS_OUT_OF_RANGE] == 1
    assert trip.gnss_mm == pytest.approx(clean.gnss_mm, abs=10)
    assert trip.speed == clean.speed


def test_of_two_values_the_smallest_is_kept_and_the_conflict_counted() -> None:
    drive = made(Stretch(5), Stretch(60, FIFTY))
    other = tuple(
        (at, {SPEED: FIFTY + 1_000, LATITUDE: row[LATITUDE], LONGITUDE: row[LONGITUDE]})
        for at, row in drive.rows[20:23]
    )
    ends = Drive(drive.rows, drive.rows[-1][0])
    samples = merge([ends.part, part_of(other), part_of(other)])

    (trip,) = derive_trips(samples, ends.events, vehicle(), CURRENT).trips

    assert trip.conflicts == 3
    assert trip.speed == only_trip(ends).speed
    assert trip.samples == only_trip(ends).samples


def test_two_devices_of_one_vehicle_do_not_add_up_their_ways() -> None:
    """Two antennas 5 m apart, samples interleaved: the way is that of one of them."""
    drive = made(Stretch(5), Stretch(120, FIFTY))
    shifted = tuple((at, {**row, LONGITUDE: row[LONGITUDE] + 730}) for at, row in drive.rows)
    ends = Drive(drive.rows, drive.rows[-1][0])
    samples = merge([part_of(shifted, 1), part_of(drive.rows, 0)])

    (trip,) = derive_trips(samples, ends.events, vehicle(2), CURRENT).trips

    assert trip.gnss_mm == only_trip(ends).gnss_mm
    assert trip.samples == 2 * only_trip(ends).samples


def test_lowest_assurance_of_the_devices_is_the_trip_s() -> None:
    drive = made(Stretch(5), Stretch(60, FIFTY))
    ends = Drive(drive.rows, drive.rows[-1][0])
    samples = merge([part_of(drive.rows, 0), part_of(drive.rows[10:12], 1)])
    levels = vehicle(2)

    (trip,) = derive_trips(
        samples, ends.events, type(levels)(CARRIER, VEHICLE, [1, 2]), CURRENT
    ).trips

    assert trip.assurance == 2


def test_events_are_copied_but_not_those_that_name_the_vehicle() -> None:
    drive = made(Stretch(60, FIFTY))
    begin, end = drive.rows[0][0], drive.rows[-1][0]
    events = (
        TripEvent(begin - 1, 99, {}),
        TripEvent(begin + 5, EVENT_VIN, {1: "W"}),
        TripEvent(begin + 7, 99, {1: 42}),
        TripEvent(end, EVENT_END_OF_SOURCE),
    )

    (trip,) = derive_trips(merge([drive.part]), events, vehicle(), CURRENT).trips

    assert trip.events == (events[2],)


def test_absent_sources_are_not_assessable_and_no_contradiction() -> None:
    by_gnss, by_odometer = (
        only_trip(recorded("comma2k19")),
        only_trip(recorded("eclipse_fms_truck")),
    )

    classes = {finding.severity for trip in (by_gnss, by_odometer) for finding in trip.findings}

    assert classes == {FindingClass.NOT_ASSESSABLE}
    assert [len(trip.findings) for trip in (by_gnss, by_odometer)] == [1, 2]


def test_odometer_of_another_width_is_not_mixed_in() -> None:
    """A coarse odometer beside the fine one, far apart: the one with more readings is used."""
    drive = made(Stretch(5, odometer=True), Stretch(120, FIFTY, odometer=True))
    rows = tuple((at, {**row, 2: 57_088_000}) for at, row in drive.rows)

    trip = only_trip(Drive(rows, rows[-1][0]))

    assert trip.odometer == (1_000_000, rows[-1][1][ODOMETER_FINE])
