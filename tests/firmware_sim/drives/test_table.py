from itertools import pairwise
from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, Record, open_drive, position
from firmware_sim.drives.aliases import ALIASES, normalised
from firmware_sim.drives.values import CARRIED
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of

T = 1_600_000_000
SECOND = 10**9


def read(tmp_path: Path, text: str) -> list[Record]:
    path = tmp_path / "drive.csv"
    path.write_text(text)
    return list(records_of(path).records())


@pytest.mark.parametrize(
    ("column", "cell", "path", "value"),
    [
        ("speed_kmh", "90", "Vehicle.Speed", 90.0),
        ("speed_mph", "50", "Vehicle.Speed", 80.4672),
        ("speed_mps", "10", "Vehicle.Speed", 36.0),
        ("Speed (km/h)", "90", "Vehicle.Speed", 90.0),
        ("obd_speed_kmh", "90", "Vehicle.Speed", 90.0),
        ("engine_rpm", "1029.00", "Vehicle.Powertrain.CombustionEngine.Speed", 1029.0),
        ("odometer_km", "13832.875", "Vehicle.TraveledDistanceHighRes", 13_832_875.0),
        ("fuel_rate_lph", "2.45", "Vehicle.Powertrain.FuelSystem.InstantRate", 2.45),
        ("Vehicle.Speed", "61.5", "Vehicle.Speed", 61.5),
        ("Vehicle.CurrentOverallWeight", "6000", "Vehicle.CurrentOverallWeight", 6000.0),
    ],
)
def test_columns_are_known_by_name_and_converted_to_the_catalogues_unit(
    column: str, cell: str, path: str, value: float, tmp_path: Path
) -> None:
    (record,) = read(tmp_path, f"time_utc,{column}\n{T},{cell}\n")

    assert record.time_ns == T * SECOND
    assert record.values == {path: pytest.approx(value)}


def test_every_alias_leads_to_something_that_can_be_carried() -> None:
    roles = {"speed", "speed source", "fix", "fix quality"}

    assert {m.path for m in ALIASES.values()} <= CARRIED | roles
    assert all(normalised(name) == name for name in ALIASES)


def test_speed_beside_coordinates_is_the_receivers_unless_its_source_says_otherwise(
    tmp_path: Path,
) -> None:
    records = read(
        tmp_path,
        "time_utc,lat,lon,speed_kmh,speed_source\n"
        f"{T},41,-96,50,\n{T + 1},41,-96,51,gps\n{T + 2},41,-96,52,obd\n",
    )

    assert [r.values.get(position.SPEED) for r in records] == [50.0, 51.0, None]
    assert [r.values.get("Vehicle.Speed") for r in records] == [None, None, 52.0]


def test_recorded_drive_switches_between_both_sources_of_speed() -> None:
    records = list(records_of(recordings.DRIVE5).records())

    assert sum("Vehicle.Speed" in r.values for r in records) == 2
    assert sum(position.SPEED in r.values for r in records) == 734


@pytest.mark.parametrize(
    "row",
    [
        "0,55.87,9.86,93.6",
        "3,-90,9.86,93.6",
        "3,55.87,9.86,-5400",
        "3,0,0,93.6",
        "3,91,9.86,93.6",
        "3,,9.86,93.6",
    ],
    ids=["fix 0", "lat -90", "alt -5400", "null island", "no latitude", "half a position"],
)
def test_position_without_a_fix_becomes_no_position(row: str, tmp_path: Path) -> None:
    (record,) = read(
        tmp_path, f"time_utc,fix,lat,lon,alt_m,speed_mps,engine_rpm\n{T},{row},9,700\n"
    )

    assert record.values == {"Vehicle.Powertrain.CombustionEngine.Speed": 700.0}


@pytest.mark.parametrize(("quality", "fixes"), [("0", 0), ("1", 1), ("2", 1), ("6", 0), ("8", 0)])
def test_quality_of_gga_is_no_number_of_dimensions(
    quality: str, fixes: int, tmp_path: Path
) -> None:
    (record,) = read(tmp_path, f"time_utc,fix_quality,lat,lon,rpm\n{T},{quality},55,9,700\n")

    assert (position.LATITUDE in record.values) == bool(fixes)
    assert position.FIX_TYPE not in record.values


def test_receiver_without_time_has_no_position_either(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        "t_unix_log,gnss_epoch,lat,lon,engine_rpm\n"
        f"{T}.5,0.000,55,9,700\n{T + 1}.5,{T - 4},55,9,701\n",
    )

    assert position.LATITUDE not in records[0].values
    assert records[1].values[position.LATITUDE] == 55.0


def test_recorded_rows_before_the_first_fix_hold_nothing() -> None:
    for path, rows in ((recordings.GNSS_1_HZ, 34), (recordings.GNSS_5_HZ, 70)):
        facts = open_drive(path).facts

        assert f"{rows} rows had no valid position" in facts.notes


def test_logger_clock_stands_in_corrected_where_the_receiver_has_no_time(tmp_path: Path) -> None:
    """The logger is 5.5 s ahead: its own time would put those rows after later ones."""
    records = read(
        tmp_path,
        "t_unix_log,gnss_epoch,engine_rpm\n"
        f"{T}.5,0,700\n{T + 1}.5,{T - 4},701\n{T + 2}.5,0,702\n{T + 3}.75,{T - 2}.125,703\n",
    )

    assert [r.time_ns / SECOND - T for r in records] == [-5.0, -4.0, -3.0, -1.875]


def test_logger_clock_is_used_as_it_is_where_there_is_no_other(tmp_path: Path) -> None:
    records = read(tmp_path, f"gnss_epoch,t_unix_log,engine_rpm\n0,{T}.5,700\n0,{T + 1}.5,701\n")

    assert [r.time_ns / SECOND - T for r in records] == [0.5, 1.5]


@pytest.mark.parametrize(
    ("path", "hertz"), [(recordings.COMMA, 10), (recordings.GNSS_5_HZ, 5)], ids=["10 Hz", "5 Hz"]
)
def test_rates_above_1_hz_are_kept(path: Path, hertz: int) -> None:
    times = [record.time_ns for record in records_of(path).records()]
    steps = sorted(later - earlier for earlier, later in pairwise(times))

    assert steps[len(steps) // 2] == SECOND // hertz


def test_gaps_stay_gaps() -> None:
    times = [record.time_ns for record in records_of(recordings.DRIVE5).records()]
    steps = [later - earlier for earlier, later in pairwise(times)]

    assert sorted(set(steps)) == [SECOND, 56 * SECOND]


def test_rows_of_the_same_time_are_one_record_and_the_later_value_counts(tmp_path: Path) -> None:
    (record,) = read(tmp_path, f"time_utc,speed_kmh,gear\n{T},10,3\n{T},11,\n")

    assert record.values == {
        "Vehicle.Speed": 11.0,
        "Vehicle.Powertrain.Transmission.CurrentGear": 3.0,
    }


@pytest.mark.parametrize(
    "cell", ["1600000000", "1600000000.0", "2020-09-13T12:26:40Z", "2020-09-13 14:26:40+02:00"]
)
def test_times_are_read_as_numbers_and_as_dates(cell: str, tmp_path: Path) -> None:
    (record,) = read(tmp_path, f"timestamp,speed_kmh\n{cell},10\n")

    assert record.time_ns == T * SECOND


@pytest.mark.parametrize(
    ("column", "cell"),
    [("utc_ms", "1600000000123"), ("timestamp", "1600000000123"), ("time_utc", "1600000000.123")],
)
def test_milliseconds_are_told_by_name_or_by_size(column: str, cell: str, tmp_path: Path) -> None:
    (record,) = read(tmp_path, f"{column},speed_kmh\n{cell},10\n")

    assert record.time_ns == T * SECOND + 123 * 10**6


def test_count_from_the_start_is_no_absolute_time(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("t_s,speed_mps\n0.0000,7.9743\n0.0089,7.9813\n")

    facts = open_drive(path).facts
    assert (facts.absolute, facts.first_ns, facts.last_ns) == (False, 0, 8_000_000)


def test_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    (record,) = read(tmp_path, f"time_utc;speed_kmh;engine_rpm\n{T};12,5;700\n")

    assert record.values["Vehicle.Speed"] == 12.5


def test_unknown_columns_are_named_and_left_out() -> None:
    facts = open_drive(recordings.DRIVE5).facts

    assert facts.left_out == ("accel_z", "accel_event", "accel_event_cat")


def test_axes_of_a_known_logger_are_turned_to_the_vehicles() -> None:
    """DrivePlotR's y points right, VSS's (ISO 8855) left; both in g there, m/s2 here."""
    second = list(records_of(recordings.DRIVE5).records())[1]

    assert second.values["Vehicle.Acceleration.Longitudinal"] == pytest.approx(0.001 * 9.80665)
    assert second.values["Vehicle.Acceleration.Lateral"] == pytest.approx(-0.069 * 9.80665)


def test_rows_that_are_too_long_or_without_time_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text(f"time_utc,speed_kmh\n{T},10\n{T + 1},10,11\n,12\nyesterday,13\n{T + 2},x\n")

    assert open_drive(path).facts.notes == (
        "2 lines or values could not be read",
        "2 rows or frames had no time of their own",
    )


def test_quote_that_does_not_close_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text(f'time_utc,speed_kmh\n{T},10\n"{T + 1},11\n{T + 2},12\n"{T + 3}","13"\n')

    assert [record.values["Vehicle.Speed"] for record in records_of(path).records()] == [10, 12, 13]
    assert open_drive(path).facts.notes == ("1 rows or frames had no time of their own",)


@pytest.mark.parametrize("text", ['"time_utc,speed_kmh\n1,2\n', "time_utc,speed_kmh\r1,2\r3,4"])
def test_table_whose_first_line_is_no_row_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_bytes(text.encode())

    with pytest.raises(DriveUnreadable, match="no header row"):
        open_drive(path)


def test_table_of_signals_without_a_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("speed_kmh,engine_rpm\n10,700\n")

    with pytest.raises(DriveUnreadable, match="no column of time"):
        open_drive(path)
