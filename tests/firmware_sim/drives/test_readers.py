import gzip
import math
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, open_drive, position, source
from firmware_sim.drives.values import CARRIED
from firmware_sim.j1939.messages import VIN
from schemas.catalogue import BY_PATH
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of

EARTH_RADIUS_KM = 6_371.0

FACTS = [
    (recordings.eclipse_truck(), "kuksa-csv", 3_980, 876, 893.2, False),
    (recordings.COVESA, "kuksa-csv", 471, 447, 475.0, False),
    (recordings.DRIVE5, "csv", 736, 736, 790.0, True),
    (recordings.COMMA, "csv", 579, 60, 59.7, True),
    (recordings.GNSS_1_HZ, "csv", 265, 265, 271.0, True),
    (recordings.GNSS_5_HZ, "csv", 330, 67, 66.0, True),
    (recordings.TRUCKGPS, "candump", 8_994, 102, 100.9, True),
    (recordings.ETI, "candump", 2_645, 5, 4.0, True),
    (recordings.KEY_ON, "candump", 1_815, 185, 186.1, True),
    (recordings.IDLE_GZIPPED, "candump", 8_000, 23, 22.1, True),
]


@pytest.mark.parametrize(
    ("path", "format_name", "items", "seconds", "span_s", "absolute"),
    FACTS,
    ids=[path.name for path, *_ in FACTS],
)
def test_every_recording_is_read_with_the_facts_that_it_is_known_for(
    path: Path, format_name: str, items: int, seconds: int, span_s: float, absolute: bool
) -> None:
    facts = open_drive(path).facts

    assert (facts.format, facts.items, facts.absolute) == (format_name, items, absolute)
    assert facts.seconds == seconds
    assert facts.span_s == pytest.approx(span_s, abs=0.6)
    assert facts.signals


def path_km(path: Path) -> float:
    fixes = [
        (math.radians(float(v[position.LATITUDE])), math.radians(float(v[position.LONGITUDE])))
        for record in records_of(path).records()
        if position.LATITUDE in (v := record.values)
    ]
    return sum(
        2 * EARTH_RADIUS_KM * math.asin(math.hypot(math.sin((b[0] - a[0]) / 2), across))
        for a, b in pairwise(fixes)
        for across in [math.sqrt(math.cos(a[0]) * math.cos(b[0])) * math.sin((b[1] - a[1]) / 2)]
    )


@pytest.mark.parametrize(
    ("path", "km"),
    [(recordings.COVESA, 5.81), (recordings.DRIVE5, 8.44), (recordings.COMMA, 1.011)],
    ids=["covesa", "drive5", "comma2k19"],
)
def test_fixes_of_a_drive_are_as_long_as_its_readme_says(path: Path, km: float) -> None:
    assert path_km(path) == pytest.approx(km, rel=0.005)


def test_odometer_of_the_eclipse_truck_counts_7150_metres() -> None:
    odometer = [
        float(value)
        for record in records_of(recordings.eclipse_truck()).records()
        if (value := record.values.get("Vehicle.TraveledDistanceHighRes")) is not None
    ]

    assert odometer[-1] - odometer[0] == 7_150


def test_format_is_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    renamed = tmp_path / "picture.png"
    renamed.write_bytes(recordings.KEY_ON.read_bytes())

    assert open_drive(renamed).facts.format == "candump"


@pytest.mark.parametrize("path", [recordings.DRIVE5, recordings.COVESA], ids=["csv", "kuksa"])
def test_any_format_may_be_gzipped(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "drive"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    assert open_drive(packed).facts == open_drive(path).facts


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no format that is known here"),
        (b"Dear reader,\nthis is a letter.\n", "no known signal|no format"),
        (b"date Mon Aug 8\nbase hex\n 0.1 1 100 Rx d 8 00\n", "no known signal"),
        (b"time_utc,oil_smell\n1558902391,strong\n", "no known signal, only oil_smell"),
        (b"lat,lon\n41.1,-96.1\n", "no column of time"),
        (b"time_utc,speed_kmh\n", "no known signal"),
        (b"(1691508198.5) can1 123#00\n", "no known signal"),
        (b"field,signal,value,delay\n", "no known signal"),
        (b"x" * 70_000 + b",y\n", "more than 65536 bytes|no format"),
    ],
)
def test_file_that_cannot_be_played_says_why_in_a_sentence(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "drive.log"
    path.write_bytes(content)

    with pytest.raises(DriveUnreadable, match=sentence) as refused:
        open_drive(path)

    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("time_utc,speed_kmh\n".encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
        (b"MDF     4.11    ", "is an ASAM MDF measurement, which is not read here: export it"),
        (b"PK\x03\x04" + bytes(30), "is a ZIP archive: unpack it"),
        (b"\xfd7zXZ\0" + bytes(30), "is packed by xz: unpack it, or pack it by gzip"),
        (b"CAN2\0K3\x97" + bytes(504), "no format that is known here"),
        (gzip.compress(b""), "is empty"),
    ],
    ids=["utf-16", "mdf", "zip", "xz", "canlogger3", "nothing, packed"],
)
def test_what_users_have_and_nothing_reads_is_told_with_a_way_out(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "drive"
    path.write_bytes(content)

    with pytest.raises(DriveUnreadable, match=sentence):
        open_drive(path)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_reading_a_large_file_tells_how_far_it_has_come(packed: bool, tmp_path: Path) -> None:
    noise = random.Random(1)
    rows = (f"{1_600_000_000 + n},{n},{noise.randbytes(2_000).hex()}\n" for n in range(1_000))
    content = ("time_utc,odometer_m,note\n" + "".join(rows)).encode()
    path = tmp_path / "drive"
    path.write_bytes(gzip.compress(content) if packed else content)
    heard: list[float] = []

    open_drive(path, heard.append)

    assert len(heard) >= 3
    assert 0 < min(heard) < 0.6
    assert 0.6 < max(heard) <= 1


def test_a_file_that_inflates_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "DRIVE_BYTES_MAX", 1024**2)
    path = tmp_path / "drive"
    path.write_bytes(gzip.compress(b"time_utc,speed_kmh\n" + b"1600000000,1\n" * 100_000))

    with pytest.raises(DriveUnreadable, match=r"holds more than .* GiB: cut it"):
        open_drive(path)


def test_a_pipe_is_refused_for_a_drive_is_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(DriveUnreadable, match="no regular file, and a drive is read twice"):
        open_drive(pipe)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DriveUnreadable, match="no such file"):
        open_drive(tmp_path / "none.csv")
    with pytest.raises(DriveUnreadable, match="is a directory"):
        open_drive(tmp_path)


def test_gzipped_file_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "drive.log.gz"
    path.write_bytes(recordings.IDLE_GZIPPED.read_bytes()[:-1_000])

    with pytest.raises(DriveUnreadable, match="damaged or cut short"):
        open_drive(path)


def test_a_line_without_end_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_bytes(b"time_utc,speed_kmh\n1558902391,1\n" + b"9" * 200_000)

    with pytest.raises(DriveUnreadable, match="more than 65536 bytes"):
        open_drive(path)


def test_everything_that_is_carried_is_in_the_catalogue() -> None:
    assert {VIN} == CARRIED - BY_PATH.keys()


def test_a_drive_can_be_read_again_and_is_the_same() -> None:
    drive = records_of(recordings.COVESA)

    assert list(drive.records()) == list(drive.records())
