from pathlib import Path

import pytest

from firmware_sim.drives import Record, open_drive, position
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of

HEADER = "field,signal,value,delay\n"
MS = 10**6


def read(tmp_path: Path, rows: str) -> list[Record]:
    path = tmp_path / "drive"
    path.write_text(HEADER + rows)
    return list(records_of(path).records())


def test_time_is_the_sum_of_the_delays_before_a_row_to_the_ms(tmp_path: Path) -> None:
    records = read(
        tmp_path,
        "current,Vehicle.Speed,10,0.5\ncurrent,Vehicle.Speed,11,0.000465631484985\n"
        "current,Vehicle.Speed,12,1\ncurrent,Vehicle.Speed,13,0\n",
    )

    assert [(r.time_ns, r.values["Vehicle.Speed"]) for r in records] == [
        (0, 10.0),
        (500 * MS, 12.0),
        (1_500 * MS, 13.0),
    ]


def test_rows_without_delay_between_them_are_one_record() -> None:
    first = next(iter(records_of(recordings.COVESA).records()))

    assert first == Record(
        0,
        {
            position.LATITUDE: 43.40367126464844,
            position.LONGITUDE: -80.525383,
            position.ALTITUDE: 375.0,
            "Vehicle.Speed": 22.572,
        },
    )


@pytest.mark.parametrize("first", ["Latitude", "Longitude"])
def test_halves_of_a_fix_that_lie_apart_are_joined(first: str, tmp_path: Path) -> None:
    second = {"Latitude": "Longitude", "Longitude": "Latitude"}[first]
    place = "Vehicle.CurrentLocation"
    records = read(
        tmp_path,
        f"current,{place}.{first},43,0.02\ncurrent,{place}.{second},44,0.98\n"
        f"current,{place}.{first},45,0.7\ncurrent,{place}.{second},46,1\n"
        f"current,{place}.{first},47,1\n",
    )

    assert records == [Record(20 * MS, {f"{place}.{first}": 43.0, f"{place}.{second}": 44.0})]


def test_words_of_enumerations_and_truth_are_read() -> None:
    values = {
        path: value
        for record in records_of(recordings.eclipse_truck()).records()
        for path, value in record.values.items()
        if record.time_ns < 10 * 10**9
    }

    assert values["Vehicle.Tachograph.Driver.Driver1.WorkingState"] == "REST"
    assert values["Vehicle.Tachograph.Driver.Driver1.IsCardPresent"] == 0.0
    assert values["Vehicle.Chassis.ParkingBrake.IsEngaged"] == 1.0
    assert values["Vehicle.VehicleIdentification.VIN"] == "YV2E4C3A5VB180691"


def test_targets_unknown_signals_and_broken_rows_are_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    path.write_text(
        HEADER
        + "target,Vehicle.Speed,99,0\ncurrent,Vehicle.Cabin.Mood,good,1\n"
        + "current,Vehicle.Speed,fast,1\ncurrent,Vehicle.Speed,10,-1\n"
        + "current,Vehicle.Speed\ncurrent,Vehicle.Speed,10,1\n"
    )
    drive = records_of(path)

    assert [(r.time_ns, dict(r.values)) for r in drive.records()] == [
        (2_000 * MS, {"Vehicle.Speed": 10.0})
    ]
    assert drive.facts.left_out == ("target:Vehicle.Speed", "Vehicle.Cabin.Mood")
    assert drive.facts.notes == ("3 lines or values could not be read",)


def test_quote_that_does_not_close_costs_its_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    rows = (
        "current,Vehicle.Speed,10,1",
        'current,"Vehicle.Speed,11,1',
        "current,Vehicle.Speed,12,1",
    )
    path.write_text(HEADER + "\n".join(rows))

    assert [r.values["Vehicle.Speed"] for r in records_of(path).records()] == [10.0, 12.0]
    assert open_drive(path).facts.notes == ("1 lines or values could not be read",)


def test_drive_has_no_absolute_time() -> None:
    assert not open_drive(recordings.COVESA).facts.absolute
