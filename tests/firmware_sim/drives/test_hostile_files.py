import gzip
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench.moments import moments, start_ms
from firmware_sim.bench.socketcand import frame_message
from firmware_sim.drives import DriveUnreadable, FrameDrive, open_drive, seconds_with_data
from tests.firmware_sim import recordings

NOW_MS = 1_700_000_000_000

EXCERPTS = [
    path.read_bytes()[:3_000]
    for path in (
        recordings.eclipse_truck(),
        recordings.COVESA,
        recordings.DRIVE5,
        recordings.GNSS_5_HZ,
        recordings.TRUCKGPS,
        recordings.KEY_ON,
    )
]
BEGINNINGS = [
    b"",
    b"\x1f\x8b",
    b"field,signal,value,delay\n",
    b"time_utc,lat,lon,speed_kmh,fix\n",
    b"t_s;speed_kmh\n",
    b"(1.0) can0 123#00\n",
    b"can0 123 [1] 00\n",
    b'timestamp,vin,"Vehicle.Speed\n',
]

damage = st.lists(
    st.tuples(st.integers(0, 2_999), st.integers(0, 5), st.binary(max_size=6)), max_size=8
)


def read_all(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            drive = open_drive(Path(file.name))
        except DriveUnreadable:
            return
        items = list(drive.frames()) if isinstance(drive, FrameDrive) else list(drive.records())
        assert len(items) == drive.facts.items
        assert len(seconds_with_data(drive)) <= drive.facts.seconds
        for moment in moments(drive, start_ms(drive.facts, NOW_MS), fill_in=True):
            assert moment.frame is None or frame_message(moment.frame).endswith(b" >")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=400))
def test_no_bytes_raise_anything_else(beginning: bytes, rest: bytes) -> None:
    read_all(beginning + rest)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.text("0123456789-+eE.,;:\n \"'TZ#[]()can_x", max_size=300))
def test_no_text_raises_anything_else(beginning: bytes, rest: str) -> None:
    read_all(beginning + rest.encode())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EXCERPTS), damage, st.booleans())
def test_damaged_recordings_are_read_or_refused(
    excerpt: bytes, changes: list[tuple[int, int, bytes]], zipped: bool
) -> None:
    content = bytearray(gzip.compress(excerpt) if zipped else excerpt)
    for at, removed, put in changes:
        content[at : at + removed] = put
    read_all(bytes(content))
