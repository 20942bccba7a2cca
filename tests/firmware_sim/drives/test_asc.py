"""Vector ASC: lines as Vector's tools and python-can write them."""

from pathlib import Path

import pytest

from firmware_sim.drives import Frame, open_drive
from tests.firmware_sim.recordings import frames_of

T = 1_692_710_307
"""2023-08-22 13:18:27 UTC."""
SECOND = 10**9

HEADER = (
    "date Tue Aug 22 13:18:27.250 2023\nbase hex  timestamps absolute\ninternal events logged\n"
)
SPEED_40 = "18FEF100x       Rx   d 8 FF 00 28 FF FF FF FF FF"


def read(tmp_path: Path, text: str) -> list[Frame]:
    path = tmp_path / "drive.asc"
    path.write_text(text)
    return list(frames_of(path).frames())


def times(tmp_path: Path, text: str) -> list[float]:
    return [frame.time_ns / SECOND - T for frame in read(tmp_path, text)]


def test_frames_have_the_date_of_the_header_and_their_own_stamps(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, f"{HEADER}   1.500000 1  {SPEED_40}\n")

    assert frame == Frame(
        T * SECOND + 1_750_000_000, "0", 0x18FEF100, True, bytes.fromhex("FF0028FFFFFFFFFF")
    )


@pytest.mark.parametrize(
    "date",
    [
        "date Tue Aug 22 13:18:27.250 2023",
        "date Tue Aug 22 01:18:27.250 pm 2023",
        "date Die Aug 22 13:18:27.250 2023",
        "Begin Triggerblock Tue Aug 22 13:18:27.250 2023",
    ],
)
def test_dates_are_read_in_the_forms_that_tools_write(date: str, tmp_path: Path) -> None:
    assert times(tmp_path, f"{date}\nbase hex\n0.0 1 {SPEED_40}\n") == [0.25]


def test_milliseconds_without_leading_zeros_are_python_cans(tmp_path: Path) -> None:
    text = f"date Tue Aug 22 13:18:27.7 2023\nbase hex\n0.0 1 {SPEED_40}\n"

    assert times(tmp_path, text) == [pytest.approx(0.007, abs=1e-6)]


def test_local_time_of_an_unnamed_zone_is_taken_as_utc_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "drive.asc"
    path.write_text(f"{HEADER}1.0 1 {SPEED_40}\n")

    assert "local time without a zone" in open_drive(path).facts.notes[0]


def test_file_without_a_readable_date_counts_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "drive.asc"
    path.write_text(f"date sometime\nbase hex\n1.0 1 {SPEED_40}\n2.0 1 {SPEED_40}\n")

    facts = open_drive(path).facts
    assert (facts.absolute, facts.first_ns, facts.notes) == (False, SECOND, ())


def test_relative_stamps_add_up_over_every_line(tmp_path: Path) -> None:
    header = HEADER.replace("absolute", "relative")
    lines = f"1.0 1 {SPEED_40}\n0.5 1  Statistic: D 0 R 0\n0.25 1 {SPEED_40}\n"

    assert times(tmp_path, header + lines) == [1.25, 2.0]


def test_first_frame_behind_a_short_header_is_not_lost(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"base hex\n1.0 1 {SPEED_40}\n2.0 1 {SPEED_40}\n")) == 2


def test_decimal_base_is_read(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "base dec\n1.0 1 419361024x Rx d 8 255 0 40 255 255 255 255 255\n")

    assert (frame.can_id, frame.data[2]) == (0x18FEF100, 40)


def test_each_block_has_its_own_start(tmp_path: Path) -> None:
    text = (
        f"base hex\nBegin Triggerblock Tue Aug 22 13:18:27.000 2023\n1.0 1 {SPEED_40}\n"
        f"End TriggerBlock\nBegin Triggerblock Tue Aug 22 13:19:27.000 2023\n1.0 1 {SPEED_40}\n"
    )

    assert times(tmp_path, text) == [1.0, 61.0]


@pytest.mark.parametrize(
    "broken",
    ["1.5 1 18FEF1ZZx Rx d 8 FF", "1.5 1 100 Rx d 2 GG 00", "1.5 1 FFF Rx d 1 00"],
    ids=["no id", "no byte", "no standard id"],
)
def test_one_line_that_cannot_be_read_stops_nothing(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "drive.asc"
    path.write_text(f"{HEADER}1.0 1 {SPEED_40}\n{broken}\n2.0 1 {SPEED_40}\n")
    drive = frames_of(path)

    assert len(list(drive.frames())) == 2
    assert "1 lines or values could not be read" in drive.facts.notes


def test_remote_error_and_fd_frames_are_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "drive.asc"
    path.write_text(
        f"{HEADER}1.0 1 {SPEED_40}\n1.1 1 100 Rx r\n1.2 1 ErrorFrame\n"
        "1.3 CANFD 1 Rx 100 1 0 9 12 00 01 02 03 04 05 06 07 08 09 0A 0B\n"
    )

    assert open_drive(path).facts.left_out == ("CAN FD, remote and error frames",)
    assert open_drive(path).facts.items == 1
