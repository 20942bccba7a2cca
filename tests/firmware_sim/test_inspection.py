"""``haulproof sim truck --inspect FILE``: what a file holds, before it is played."""

import json
from pathlib import Path

import pytest

from firmware_sim.cli import main
from firmware_sim.drives import open_drive
from firmware_sim.inspection import inspect
from tests.firmware_sim import recordings

T = 1_600_000_000


def told(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["truck", "--inspect", str(path), *words]) == 0
    return capsys.readouterr().out


def test_signals_are_told_with_rate_range_and_unit(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(told(recordings.COMMA, capsys, "--json"))

    assert (found["format"], found["holds"], found["items"]) == ("csv", "records", 579)
    speed = next(s for s in found["signals"] if s["path"] == "Vehicle.CurrentLocation.Speed")
    assert speed["hertz"] == pytest.approx(9.7, abs=0.1)
    assert speed["unit"] == "km/h"
    assert speed["greatest"] == pytest.approx(72.2, abs=0.1)


def test_gap_with_motion_is_told_with_how_far_it_moved(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text(f"time_utc,lat,lon\n{T},41,-96\n{T + 1},41,-96\n{T + 61},41.01,-96\n")

    found = inspect(open_drive(path), lambda share: None)

    assert (found.gaps, found.gap_seconds) == (1, 60.0)
    assert found.longest is not None
    assert found.longest.moved_m == pytest.approx(1_112, abs=2)


def test_slow_tracker_has_no_gaps(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("time_utc,speed_kmh\n" + "".join(f"{T + 10 * n},40\n" for n in range(20)))

    found = inspect(open_drive(path), lambda share: None)

    assert found.gaps == 0
    assert found.signals["Vehicle.Speed"].hertz == pytest.approx(0.1)


def test_bus_clock_wrong_by_hours_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = told(recordings.TRUCKGPS, capsys)

    assert "Clock: the logger's is 11603.2 s behind the receiver's" in words
    assert "candump-2023-08-08_152318.log: candump, 8994 frames" in words


def test_values_of_a_j1939_bus_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(told(recordings.ETI, capsys, "--json"))
    odometer = next(s for s in found["signals"] if s["path"] == "Vehicle.TraveledDistance")

    assert odometer["greatest"] == 57_088_875
    assert found["notes"] == ["333 rows or frames are a little earlier than one before"]


def test_words_name_time_signals_and_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = told(recordings.DRIVE5, capsys)

    assert "Time: 2019-05-26 20:26:31 to 2019-05-26 20:39:41 UTC, 790.0 s" in words
    assert "Gaps: 1 of more than 10 s, the longest 56 s, 403 s after the start" in words
    assert "Left out: accel_z, accel_event, accel_event_cat" in words
    assert "Time: not absolute" in told(recordings.eclipse_truck(), capsys)


def test_shipped_drive_is_known_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["truck", "--inspect", "eclipse-truck"]) == 0
    assert "kuksa-csv, 3980 records" in capsys.readouterr().out


def test_inspecting_refuses_what_only_playing_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["truck", "--inspect", str(recordings.ETI), "--speed", "60"]) == 2
    assert "plays nothing" in capsys.readouterr().err


def test_file_that_is_no_drive_is_refused_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "measured.mf4"
    path.write_bytes(b"MDF     4.10    ")

    assert main(["truck", "--inspect", str(path), "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "is an ASAM MDF measurement, which is not read here: export it as" in told.err
