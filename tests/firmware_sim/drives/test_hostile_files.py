import gzip
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench.moments import moments, start_ms
from firmware_sim.bench.socketcand import frame_message
from firmware_sim.drives import DriveUnreadable, FrameDrive, open_drive, seconds_with_data
from firmware_sim.nmea.sentences import sentence
from tests.firmware_sim import recordings, reencoded

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
        recordings.OBD_ROWS,
    )
]
POINTS = "".join(
    f'<trkpt lat="41.{n}" lon="-96.2"><ele>3</ele><time>2020-09-13T12:26:{n:02d}Z</time></trkpt>'
    for n in range(30)
)
EXCERPTS += [
    f"<gpx><trk><trkseg>{POINTS}</trkseg></trk></gpx>".encode()[:3_000],
    b"".join(
        sentence(f"GPRMC,1200{n:02d}.00,A,4130.{n:02d},N,09615.0,W,10.0,90.0,130920,,,A")
        for n in range(40)
    )[:3_000],
    b"date Tue Aug 22 13:18:27.250 2023\nbase hex  timestamps absolute\n"
    + b"".join(b"%d.0 1  18FEF100x  Rx   d 8 FF 00 28 FF FF FF FF FF\n" % n for n in range(50)),
    reencoded.blf_in_the_clear(60),
]
BEGINNINGS = [
    b"<gpx><trk><trkseg>",
    b"<?xml version='1.0'?><gpx><trkpt lat='1' lon='2'><time>",
    sentence("GPRMC,120000.00,A,4130.0,N,09615.0,W,10.0,90.0,130920,,,A"),
    b"$GPGGA,120000.00,",
    b"base hex  timestamps relative\n1.0 1 18FEF100x Rx d 8 FF 00 28 FF FF FF FF FF\n",
    b"date Tue Aug 22 13:18:27.250 2023\n",
    b"LOGG",
    reencoded.blf_in_the_clear(0),
    reencoded.blf_in_the_clear(2) + b"LOBJ\x10\0\x01\0",
    b"",
    b"\x1f\x8b",
    b"field,signal,value,delay\n",
    b"time_utc,lat,lon,speed_kmh,fix\n",
    b"t_s;speed_kmh\n",
    b"timestamp,name,value,unit\n1600000000,",
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
        on_logger_time = not drive.facts.satellite_ahead_ns  # another clock cuts seconds elsewhere
        assert len(seconds_with_data(drive)) <= drive.facts.seconds or not on_logger_time
        for moment in moments(drive, start_ms(drive.facts, NOW_MS), fill_in=True):
            assert moment.frame is None or frame_message(moment.frame).endswith(b" >")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=400))
def test_no_bytes_raise_anything_else(beginning: bytes, rest: bytes) -> None:
    read_all(beginning + rest)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(BEGINNINGS),
    st.text("0123456789-+eE.,;:\n \"'TZ#[]()can_x<>/&$*Rd", max_size=300),
)
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
