"""CSV with a row for each value, as OBD loggers and databases write it."""

from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, Record, open_drive
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of

T = 1_600_000_000
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"


def read(tmp_path: Path, text: str) -> list[Record]:
    path = tmp_path / "drive.csv"
    path.write_text(text)
    return list(records_of(path).records())


def test_name_and_unit_are_looked_up_together_and_rows_of_one_time_joined(tmp_path: Path) -> None:
    (record,) = read(
        tmp_path,
        "timestamp,pid,name,value,unit\n"
        f"{T},0x0D,vehicle_speed,50,mph\n{T},0x0C,engine_speed,700,rpm\n{T},0x0D,speed,,km/h\n",
    )

    assert record.time_ns == T * 10**9
    assert record.values == {"Vehicle.Speed": pytest.approx(80.4672), RPM: 700.0}


def test_paths_of_vss_need_no_unit(tmp_path: Path) -> None:
    (record,) = read(tmp_path, f"time_utc;signal;value\n{T};Vehicle.Speed;61,5\n")

    assert record.values == {"Vehicle.Speed": 61.5}


def test_recorded_answers_are_read_and_what_is_unknown_is_named() -> None:
    facts = open_drive(recordings.OBD_ROWS).facts

    assert facts.format == "long-csv"
    assert "Vehicle.Speed" in facts.signals
    assert facts.left_out == ("map", "actual_torque_pct", "baro")


def test_short_rows_and_rows_without_time_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text(f"timestamp,name,value,unit\n{T},rpm,700,\n{T},rpm\n,rpm,700,\n{T},rpm,fast,\n")

    assert open_drive(path).facts.notes == (
        "2 lines or values could not be read",
        "1 rows or frames had no time of their own",
    )


def test_table_without_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DriveUnreadable, match="no column of time"):
        read(tmp_path, "name,value\nrpm,700\n")
