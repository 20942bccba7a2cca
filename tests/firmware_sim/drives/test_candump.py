from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, Frame, open_drive
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import frames_of

SPEED = "18FEF100"


def read(tmp_path: Path, text: str) -> tuple[list[Frame], tuple[str, ...], tuple[str, ...]]:
    path = tmp_path / "drive"
    path.write_text(text)
    drive = frames_of(path)
    return list(drive.frames()), drive.facts.left_out, drive.facts.notes


def test_log_form_keeps_time_channel_id_and_data(tmp_path: Path) -> None:
    frames, _, _ = read(
        tmp_path,
        "(1691508198.524707) can1 18FEF100#F70000FFFFFF00FF\n(1691508198.6) vcan0 7E8#0341\n",
    )

    assert frames == [
        Frame(1691508198_524707000, "can1", 0x18FEF100, True, bytes.fromhex("F70000FFFFFF00FF")),
        Frame(1691508198_600000000, "vcan0", 0x7E8, False, b"\x03\x41"),
    ]


@pytest.mark.parametrize(
    ("prefix", "time_ns"),
    [
        ("", 0),
        (" (1691508198.524707)  ", 1691508198_524707000),
        (" (003.000250)  ", 3_000250000),
        (" (2023-08-08 15:23:18.524707)  ", 1691508198_524707000),
    ],
    ids=["no stamp", "absolute", "from the start", "date"],
)
def test_screen_form_is_read_with_every_stamp_that_candump_writes(
    prefix: str, time_ns: int, tmp_path: Path
) -> None:
    line = f"{prefix}can0  18FEF100   [8]  F7 00 10 FF FF FF 00 FF  '.....'\n"
    frames, _, _ = read(tmp_path, line)

    assert frames == [Frame(time_ns, "can0", 0x18FEF100, True, bytes.fromhex("F70010FFFFFF00FF"))]


def test_screen_form_without_stamps_plays_a_frame_a_millisecond_and_says_so(
    tmp_path: Path,
) -> None:
    line = "  can0  18FEF100   [8]  F7 00 10 FF FF FF 00 FF\n"
    frames, _, notes = read(tmp_path, line * 3)

    assert [frame.time_ns for frame in frames] == [0, 1_000_000, 2_000_000]
    assert notes == ("3 rows or frames had no time of their own",)


def test_both_layouts_of_one_recording_hold_the_same_frames(tmp_path: Path) -> None:
    logged = list(frames_of(recordings.KEY_ON).frames())
    screen = tmp_path / "screen.txt"
    screen.write_text(
        "".join(
            f" ({f.time_ns // 10**9}.{f.time_ns % 10**9 // 1000:06d})  {f.channel}  "
            f"{f.can_id:08X}   [{len(f.data)}]  {f.data.hex(' ').upper()}\n"
            for f in logged
        )
    )

    assert list(frames_of(screen).frames()) == logged


def test_fd_remote_and_error_frames_are_left_out_by_name(tmp_path: Path) -> None:
    frames, left_out, _ = read(
        tmp_path,
        f"(1.0) can0 {SPEED}#F70010FFFFFF00FF\n"
        "(1.1) can0 123##1001122334455667788\n"
        "(1.2) can0 123#R\n"
        "(1.3) can0 20000080#0000000000000000\n",
    )

    assert len(frames) == 1
    assert left_out == ("CAN FD, remote and error frames",)


def test_broken_lines_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    frames, _, notes = read(
        tmp_path,
        f"(1.0) can0 {SPEED}#F70010FFFFFF00FF\n"
        "(1.0) can0 18FEF100#F7001\n"
        "can0  18FEF100   [8]  F7 00 10\n"
        f"(2.0) can0 {SPEED}#F70020FFFFFF00FF\n"
        "(3.0) can0 18FE",
    )

    assert len(frames) == 2
    assert notes == ("3 lines or values could not be read",)


def test_times_that_step_back_are_kept_and_noted() -> None:
    facts = frames_of(recordings.ETI).facts

    assert facts.notes == ("333 rows or frames are a little earlier than one before",)


def test_buses_of_one_recording_are_kept_apart() -> None:
    assert {frame.channel for frame in frames_of(recordings.KEY_ON).frames()} == {"can1", "can2"}


def test_bus_on_which_nothing_is_available_holds_no_known_signal(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    path.write_text(f"(1.0) can0 {SPEED}#FFFFFFFFFFFFFFFF\n")

    with pytest.raises(DriveUnreadable, match="no known signal"):
        open_drive(path)
