"""Vector BLF: what python-can writes is read, and what would harm its reader never reaches it."""

import struct
import zlib
from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, open_drive
from firmware_sim.drives.blf import CONTAINER_BYTES_MAX
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import frames_of
from tests.firmware_sim.reencoded import SPEED_40, as_blf, blf_in_the_clear

FILE_HEADER_BYTES = 144


@pytest.fixture
def written() -> bytes:
    return blf_in_the_clear(20)


def opened(tmp_path: Path, content: bytes) -> list[int]:
    path = tmp_path / "drive.blf"
    path.write_bytes(content)
    drive = frames_of(path)
    frames = list(drive.frames())
    assert drive.facts.items == len(frames)
    return [frame.time_ns for frame in frames]


def container(content: bytes, method: int = 0, size: int | None = None) -> bytes:
    size = 32 + len(content) if size is None else size
    header = struct.pack("<4sHHLL", b"LOBJ", 16, 1, size, 10)
    return header + struct.pack("<H6xL4x", method, len(content)) + content


def can_object(size: int, kind: int = 1, version: int = 1) -> bytes:
    header = struct.pack("<4sHHLL", b"LOBJ", 32, version, size, kind)
    times = struct.pack("<LHHQ", 2, 0, 0, 10**9)
    return header + times + struct.pack("<HBBL8s", 1, 0, 8, 0x98FEF100, SPEED_40)


@pytest.mark.parametrize("path", [recordings.IDLE_GZIPPED, recordings.KEY_ON], ids=lambda p: p.name)
def test_recorded_bus_written_as_blf_has_the_same_frames(path: Path, tmp_path: Path) -> None:
    """real drive, synthetic framing"""
    drive = frames_of(path)
    again = frames_of(as_blf(drive, tmp_path / "drive.blf"))

    recorded, read = list(drive.frames()), list(again.frames())
    assert [(f.can_id, f.extended, f.data) for f in read] == [
        (f.can_id, f.extended, f.data) for f in recorded
    ]
    assert max(abs(a.time_ns - b.time_ns) for a, b in zip(read, recorded, strict=True)) <= 1_000


def test_container_that_inflates_without_end_is_refused(tmp_path: Path, written: bytes) -> None:
    bomb = zlib.compress(bytes(2 * CONTAINER_BYTES_MAX), 9)

    with pytest.raises(DriveUnreadable, match="container of more than 16 MiB"):
        opened(tmp_path, written[:FILE_HEADER_BYTES] + container(bomb, method=2))


@pytest.mark.parametrize("size", [0, 15, 2**31], ids=["0", "15", "2 GiB"])
@pytest.mark.parametrize("kind", [1, 999], ids=["a frame", "something else"])
def test_object_with_a_size_that_none_has_is_damage_not_a_circle(
    size: int, kind: int, tmp_path: Path, written: bytes
) -> None:
    content = written[:FILE_HEADER_BYTES] + container(can_object(size, kind))

    with pytest.raises(DriveUnreadable, match="damaged BLF file"):
        opened(tmp_path, content)


def test_container_that_claims_more_than_any_logger_writes_is_damage(
    tmp_path: Path, written: bytes
) -> None:
    with pytest.raises(DriveUnreadable, match="damaged BLF file"):
        opened(tmp_path, written[:FILE_HEADER_BYTES] + container(b"", size=2**32 - 1))


def test_every_beginning_of_a_file_is_played_as_cut_short_or_refused(
    tmp_path: Path, written: bytes
) -> None:
    played = 0
    for end in range(0, len(written), 7):
        try:
            frames = opened(tmp_path, written[:end])
        except DriveUnreadable:
            continue
        played += 1
        assert len(frames) <= 20
        notes = open_drive(tmp_path / "drive.blf").facts.notes
        assert len(frames) == 20 or any("cut short" in note for note in notes)
    assert played > 10


def test_frames_outside_a_container_and_across_two_are_read(tmp_path: Path, written: bytes) -> None:
    one = can_object(48)
    header = written[:FILE_HEADER_BYTES]

    assert len(opened(tmp_path, header + one + one)) == 2
    assert len(opened(tmp_path, header + container(one + one[:20]) + container(one[20:]))) == 2


def test_object_that_never_goes_on_is_a_file_cut_short(tmp_path: Path, written: bytes) -> None:
    objects = can_object(48) + can_object(48)[:30]

    assert len(opened(tmp_path, written[:FILE_HEADER_BYTES] + container(objects))) == 1
    assert "cut short" in open_drive(tmp_path / "drive.blf").facts.notes[-1]


def test_objects_of_unknown_kind_version_or_size_stop_nothing(
    tmp_path: Path, written: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    too_short = can_object(40)[:40]
    odd = can_object(48, kind=65) + can_object(48, version=9) + can_object(48, version=2)
    objects = odd + too_short + can_object(48)

    assert len(opened(tmp_path, written[:FILE_HEADER_BYTES] + container(objects))) == 1
    assert capsys.readouterr().err == ""
