"""GPX: tracks of loggers and phones, and XML that was written to harm its reader."""

import tracemalloc
from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, Record, open_drive, position
from firmware_sim.drives.gpx import TAG_BYTES_MAX
from tests.firmware_sim.recordings import records_of

T = 1_600_000_000
POINT = '<trkpt lat="41.5" lon="-96.25"><time>2020-09-13T12:26:40Z</time></trkpt>'


def track(points: str, version: str = "1.1") -> str:
    return (
        f'<?xml version="1.0"?>\n<!-- a tracker -->\n<gpx version="{version}" creator="x">'
        f"<trk><trkseg>{points}</trkseg></trk></gpx>"
    )


def read(tmp_path: Path, text: str | bytes) -> list[Record]:
    path = tmp_path / "drive.gpx"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(records_of(path).records())


def test_point_has_place_time_and_what_the_versions_say_of_speed(tmp_path: Path) -> None:
    old = "<ele>300.5</ele><course>90</course><speed>10</speed><fix>3d</fix><sat>9</sat>"
    extension = (
        "<extensions><gpxtpx:TrackPointExtension><gpxtpx:speed>20</gpxtpx:speed>"
        "<gpxtpx:hr>80</gpxtpx:hr></gpxtpx:TrackPointExtension></extensions>"
    )
    times = ("<time>2020-09-13T12:26:40.250Z</time>", "<time>2020-09-13T14:26:41+02:00</time>")
    first, second = read(
        tmp_path,
        track(
            f'<trkpt lat="41.5" lon="-96.25">{times[0]}{old}</trkpt>'
            f'<trkpt lon="-96.26" lat="41.6">{extension}{times[1]}</trkpt>'
        ),
    )

    assert first == Record(
        T * 10**9 + 250_000_000,
        {
            position.LATITUDE: 41.5,
            position.LONGITUDE: -96.25,
            position.ALTITUDE: 300.5,
            position.HEADING: 90.0,
            position.SPEED: 36.0,
            position.FIX_TYPE: "THREE_D",
            position.SATELLITES: 9.0,
        },
    )
    assert second.time_ns == (T + 1) * 10**9
    assert second.values[position.SPEED] == 72.0
    assert open_drive(tmp_path / "drive.gpx").facts.left_out == ("hr",)


@pytest.mark.parametrize(
    "point",
    [
        '<trkpt lat="-90" lon="9"><time>2020-09-13T12:26:41Z</time></trkpt>',
        '<trkpt lat="55" lon="9"><ele>-5400</ele><time>2020-09-13T12:26:41Z</time></trkpt>',
        '<trkpt lat="55" lon="9"><fix>none</fix><time>2020-09-13T12:26:41Z</time></trkpt>',
        '<trkpt lat="0" lon="0"><time>2020-09-13T12:26:41Z</time></trkpt>',
        '<trkpt lat="north" lon="9"><time>2020-09-13T12:26:41Z</time></trkpt>',
        '<trkpt lat="55" lon="9"><time>1970-01-01T00:00:00Z</time></trkpt>',
        '<trkpt lat="55" lon="9"></trkpt>',
    ],
    ids=["lat -90", "alt -5400", "no fix", "null island", "no number", "epoch 0", "no time"],
)
def test_point_that_no_receiver_vouches_for_is_left_out_and_noted(
    point: str, tmp_path: Path
) -> None:
    assert len(read(tmp_path, track(POINT + point))) == 1
    assert open_drive(tmp_path / "drive.gpx").facts.notes


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings_of_xml_are_read(encoding: str, tmp_path: Path) -> None:
    text = track(POINT).replace('"1.0"?>', f'"1.0" encoding="{encoding.removesuffix("-sig")}"?>')

    assert len(read(tmp_path, text.encode(encoding))) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('<!DOCTYPE gpx [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><gpx>&b;</gpx>', "document type"),
        ('<!DOCTYPE gpx SYSTEM "file:///etc/passwd"><gpx/>', "document type"),
        (f"<gpx>{'<a>' * 100}", "nests more than 64 elements"),
        (f'<gpx name="{"x" * 2 * TAG_BYTES_MAX}"/>', "a tag of more than 262144 bytes"),
        ("<gpx><trk></gpx>", "no regular XML .*line 1"),
        ('<?xml version="1.0" encoding="martian"?><gpx/>', "encoding that is not known"),
        ('<gpx><rte><rtept lat="1" lon="2"/></rte></gpx>', "no point of a track"),
        (track('<trkpt lat="1" lon="2"/>'), "no times on its points"),
        ("<html><body><gpx /></body></html>", "no format that is known here"),
    ],
    ids=[
        *("entity bomb", "external entity", "depth", "endless tag", "mismatch", "encoding"),
        *("route", "planned route", "not gpx"),
    ],
)
def test_xml_that_is_no_track_is_refused_with_a_sentence(
    content: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(DriveUnreadable, match=sentence) as refused:
        read(tmp_path, content)

    assert str(refused.value).endswith(".")


def test_track_that_breaks_off_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    text = track(POINT + POINT)

    assert len(read(tmp_path, text[: text.rindex("<trkpt") + 20])) == 1
    assert "cut short" in open_drive(tmp_path / "drive.gpx").facts.notes[0]


def test_text_without_end_fills_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "drive.gpx"
    path.write_text(track(f"{POINT}<trkpt lat='1' lon='2'><name>{'y' * 20_000_000}</name></trkpt>"))

    tracemalloc.start()
    try:
        open_drive(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000
