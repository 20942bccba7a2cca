"""Drive files to trips: every recording within its tolerance, every format the same trip."""

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.bench.moments import start_ms
from firmware_sim.drives import Drive, Record, RecordDrive, open_drive, position, seconds_with_data
from tests.e2e.derived_drive import NOW_MS, Derived, derived, derived_drive, sampled
from tests.firmware_sim import recordings, reencoded

MINUTE_OF_A_VAN = (
    Path(__file__).parents[1]
    / "data"
    / "buses"
    / "css_dk_2021_van_obd_gnss_imu"
    / "drive_600_to_690_s.log.gz"
)

KM = [
    (recordings.eclipse_truck(), 7.150, 0.01),
    (recordings.COVESA, 5.81, 0.02),
    (recordings.DRIVE5, 8.44, 0.01),
    (recordings.COMMA, 1.011, 0.01),
]
STANDING = [recordings.TRUCKGPS, recordings.ETI, recordings.KEY_ON, recordings.IDLE_GZIPPED]
OTHERS = [
    *(recordings.GNSS_1_HZ, recordings.GNSS_5_HZ, recordings.CAN_83_HZ, recordings.OBD_ROWS),
    MINUTE_OF_A_VAN,
]

Writer = Callable[[Drive, Path], Path]
ReceiverWriter = Callable[[RecordDrive, Path], Path]


def name_of(path: Path) -> str:
    return path.name.partition(".")[0]


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """python-can writes the local time of the machine into an ASC file."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def lost(drive: Drive, of: Derived) -> set[int]:
    return seconds_with_data(drive, start_ms(drive.facts, NOW_MS)) - of.seconds


@pytest.mark.parametrize(("path", "km", "tolerance"), KM, ids=[name_of(path) for path, *_ in KM])
def test_recorded_drive_is_one_trip_as_long_as_it_is_known_for(
    path: Path, km: float, tolerance: float
) -> None:
    drive = open_drive(path)
    played = derived_drive(drive)

    assert len(played.trips) == 1
    assert played.km == pytest.approx(km, rel=tolerance)
    assert lost(drive, played) == set()


@pytest.mark.parametrize("path", STANDING, ids=name_of)
def test_recorded_truck_that_stands_makes_no_trip_and_loses_no_second(path: Path) -> None:
    drive = open_drive(path)
    played = derived_drive(drive)

    assert played.trips == ()
    assert lost(drive, played) == set()


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_no_second_of_a_recording_is_lost_at_any_rate(path: Path) -> None:
    drive = open_drive(path)

    assert lost(drive, derived_drive(drive)) == set()


@pytest.mark.reencoded
@pytest.mark.usefixtures("in_utc")
@pytest.mark.parametrize("write", [reencoded.as_candump, reencoded.as_asc, reencoded.as_blf])
@pytest.mark.parametrize(
    "path", [recordings.eclipse_truck(), MINUTE_OF_A_VAN, recordings.IDLE_GZIPPED], ids=name_of
)
def test_bus_is_the_same_drive_in_every_format_of_a_bus(
    path: Path, write: Writer, tmp_path: Path
) -> None:
    drive = open_drive(path)

    again = derived(write(drive, tmp_path / "again"))

    first = derived_drive(drive)
    assert again.samples == first.samples
    assert [trip.digest for trip in again.trips] == [trip.digest for trip in first.trips]
    assert len(first.trips) == (0 if path == recordings.IDLE_GZIPPED else 1)


@pytest.mark.reencoded
@pytest.mark.parametrize("write", [reencoded.as_gpx, reencoded.as_nmea])
@pytest.mark.parametrize(
    "path", [recordings.COVESA, recordings.DRIVE5, recordings.COMMA], ids=name_of
)
def test_fixes_are_the_same_trip_in_every_format_of_a_receiver(
    path: Path, write: ReceiverWriter, tmp_path: Path
) -> None:
    fixes = only_fixes(recordings.records_of(path))

    again = derived(write(fixes, tmp_path / "again"))

    first = derived_drive(fixes)
    assert len(first.trips) == 1
    assert [trip.digest for trip in again.trips] == [trip.digest for trip in first.trips]
    assert again.km == first.km


@pytest.mark.reencoded
@pytest.mark.usefixtures("in_utc")
@pytest.mark.parametrize(
    "write",
    [
        *(reencoded.as_candump, reencoded.as_asc, reencoded.as_blf),
        *(reencoded.as_gpx, reencoded.as_nmea),
    ],
)
def test_gzip_of_a_format_is_the_same_drive(
    write: Callable[[RecordDrive, Path], Path], tmp_path: Path
) -> None:
    source = recordings.records_of(recordings.DRIVE5)
    plain = write(source, tmp_path / "plain")
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert open_drive(packed).facts == open_drive(plain).facts


@pytest.mark.reencoded
def test_slow_tracker_is_not_filled(tmp_path: Path) -> None:
    """The Covesa drive at 0.1 Hz: every tenth fix, and no second in between that nobody told."""
    drive = recordings.records_of(recordings.COVESA)
    tenth = replace(drive, records=lambda: (r for n, r in enumerate(drive.records()) if n % 10 < 1))
    slow = recordings.records_of(reencoded.as_gpx(tenth, tmp_path / "slow.gpx"))

    played = derived_drive(slow)

    assert lost(slow, played) == set()
    assert len(played.samples) <= 3 * len(seconds_with_data(slow))
    assert 0.9 * 5.81 < played.km < 5.81  # chords of 10 s cut corners


@pytest.mark.reencoded
def test_bus_that_is_weeks_behind_is_sampled_in_the_receivers_time(tmp_path: Path) -> None:
    drive = recordings.frames_of(MINUTE_OF_A_VAN)
    weeks_ns = 59 * 86_400 * 10**9
    behind = replace(
        drive,
        facts=replace(drive.facts, first_ns=drive.facts.first_ns - weeks_ns),
        frames=lambda: (replace(f, time_ns=f.time_ns - weeks_ns) for f in drive.frames()),
    )

    again = open_drive(reencoded.as_blf(behind, tmp_path / "behind.blf"))

    assert [s.t_ms for s in sampled(again)] == [s.t_ms for s in sampled(drive)]


def only_fixes(drive: RecordDrive) -> RecordDrive:
    """What GPX and NMEA both hold of a drive."""
    carried = position.COORDINATES | {position.ALTITUDE, position.HEADING, position.SPEED}

    def records() -> Iterator[Record]:
        for record in drive.records():
            values = {path: value for path, value in record.values.items() if path in carried}
            if values:
                yield Record(record.time_ns, values)

    return replace(drive, records=records)
