"""Recorded drives written again in other formats: real drives, synthetic framing.

What a format can't hold is not written: no bus in GPX and NMEA, no receiver's sentences on a bus.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import can

from firmware_sim.bench.moments import moments, start_ms
from firmware_sim.drives import Drive, RecordDrive, position
from firmware_sim.drives.model import MS_NS

NOW_MS = 1_700_000_000_000
"""When a drive without absolute time is played."""

SPEED_40 = bytes.fromhex("FF0028FFFFFFFFFF")
"""CCVS1 with 40 km/h."""


def as_blf(drive: Drive, path: Path) -> Path:
    with can.BLFWriter(path) as writer:
        for message in _messages(drive):
            writer(message)
    return path


def as_asc(drive: Drive, path: Path) -> Path:
    """python-can writes the local time of this machine: callers are to be in UTC.

    The date of an ASC file is told to the ms, so its stamps are counted from a whole one.
    """
    begun_s = start_ms(drive.facts, NOW_MS) / 1_000
    with can.ASCWriter(path) as writer:
        writer.log_event("written again", timestamp=begun_s)
        for message in _messages(drive):
            writer(message)
    return path


def as_candump(drive: Drive, path: Path) -> Path:
    with can.CanutilsLogWriter(path) as writer:
        for message in _messages(drive):
            writer(message)
    return path


def as_nmea(drive: RecordDrive, path: Path) -> Path:
    played = moments(drive, start_ms(drive.facts, NOW_MS), fill_in=False)
    path.write_bytes(b"".join(moment.sentences for moment in played))
    return path


def as_gpx(drive: RecordDrive, path: Path) -> Path:
    points = "\n".join(_points(drive))
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.0" creator="haulproof tests" xmlns="http://www.topografix.com/GPX/1/0">\n'
        f"<trk><trkseg>\n{points}\n</trkseg></trk></gpx>\n"
    )
    return path


def blf_in_the_clear(frames: int) -> bytes:
    """A BLF file whose one container is not packed, so that its objects can be damaged."""
    with tempfile.NamedTemporaryFile(suffix=".blf") as file:
        with can.BLFWriter(file.name, compression_level=0) as writer:
            for step in range(frames):
                writer(can.Message(1_600_000_000 + step, 0x18FEF100, data=SPEED_40))
        return Path(file.name).read_bytes()


def _messages(drive: Drive) -> Iterator[can.Message]:
    for moment in moments(drive, start_ms(drive.facts, NOW_MS), fill_in=False):
        if moment.frame is not None:
            frame = moment.frame
            yield can.Message(
                timestamp=frame.time_ns / 1e9,
                arbitration_id=frame.can_id,
                is_extended_id=frame.extended,
                data=frame.data,
                channel=0,
            )


def _points(drive: RecordDrive) -> Iterator[str]:
    shift_ns = (start_ms(drive.facts, NOW_MS) - drive.facts.first_ns // MS_NS) * MS_NS
    for record in drive.records():
        values = record.values
        if not position.is_valid(values):
            continue
        at = datetime.fromtimestamp((record.time_ns + shift_ns) // MS_NS / 1_000, UTC)
        children = [f"<time>{at.isoformat(timespec='milliseconds')}</time>"]
        for tag, path, factor in (
            ("ele", position.ALTITUDE, 1.0),
            ("course", position.HEADING, 1.0),
            ("speed", position.SPEED, 3.6),
        ):
            value = values.get(path)
            if isinstance(value, float):
                children.append(f"<{tag}>{value / factor!r}</{tag}>")
        where = f'lat="{values[position.LATITUDE]}" lon="{values[position.LONGITUDE]}"'
        yield f"<trkpt {where}>{''.join(children)}</trkpt>"
