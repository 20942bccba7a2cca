from pathlib import Path

import pytest

from firmware_sim.drives import open_drive, seconds_with_data
from firmware_sim.drives.model import second_of
from tests.firmware_sim import recordings

SECOND = 10**9


def test_a_second_is_named_by_its_end() -> None:
    assert [second_of(t) for t in (0, 1, SECOND, SECOND + 1)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "path",
    [recordings.eclipse_truck(), recordings.DRIVE5, recordings.COMMA, recordings.KEY_ON],
    ids=lambda path: path.name,
)
def test_as_many_seconds_hold_data_as_the_facts_say(path: Path) -> None:
    drive = open_drive(path)

    assert len(seconds_with_data(drive)) == drive.facts.seconds


def test_start_of_playing_moves_a_drive_without_absolute_time() -> None:
    drive = open_drive(recordings.COVESA)
    relative = seconds_with_data(drive)

    assert min(relative) == 0
    assert seconds_with_data(drive, 1_600_000_000_000) == {s + 1_600_000_000 for s in relative}


def test_start_of_playing_moves_nothing_that_has_its_own_time() -> None:
    drive = open_drive(recordings.DRIVE5)

    assert seconds_with_data(drive, drive.facts.first_ns // 10**6) == seconds_with_data(drive)
    assert min(seconds_with_data(drive)) == 1_558_902_391


def test_recorded_bus_is_put_on_the_time_of_its_satellite_receiver() -> None:
    """The logger of this recording was 3 h 13 min behind, as its own receiver shows."""
    drive = open_drive(recordings.TRUCKGPS)

    assert drive.facts.satellite_ahead_ns // SECOND == 11_603
    assert min(seconds_with_data(drive)) == second_of(
        drive.facts.first_ns + drive.facts.satellite_ahead_ns
    )
    assert len(seconds_with_data(drive)) == 102


def test_seconds_without_a_known_signal_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "drive.log"
    path.write_text(
        "(10.5) can0 18FEF100#F70010FFFFFF00FF\n"
        "(11.5) can0 18FEF100#FFFFFFFFFFFFFFFF\n"
        "(12.5) can0 1CFFEE00#0011223344556677\n"
    )

    assert seconds_with_data(open_drive(path)) == {11}


def test_second_that_holds_a_vin_alone_has_nothing_to_sample(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("t_s,vin,speed_kmh\n5,YV2E4C3A5VB180691,\n6,,10\n7,YV2E4C3A5VB180691,10\n")

    assert seconds_with_data(open_drive(path)) == {6, 7}
