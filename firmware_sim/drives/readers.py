"""The drive formats that are known, and the way from a file to a drive.

A reader recognises its format by content. A further format is a further row of ``READERS``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.drives import asc, blf, candump, gpx, kuksa, long_table, nmea, table
from firmware_sim.drives.forward import forward, in_order
from firmware_sim.drives.model import (
    Drive,
    DriveUnreadable,
    Frame,
    FrameDrive,
    Record,
    RecordDrive,
    Tally,
)
from firmware_sim.drives.position import joined
from firmware_sim.drives.source import DriveSource, Hear, unheard
from firmware_sim.drives.survey import survey_frames, survey_records


@dataclass(frozen=True, slots=True)
class FrameReader:
    """A format that holds the frames of a bus."""

    format: str
    title: str
    recognises: Callable[[bytes], bool]
    frames: Callable[[DriveSource, Tally], Iterator[Frame]]

    def open(self, source: DriveSource) -> FrameDrive:
        """Read the file once for its facts; ``DriveUnreadable`` when nothing in it is known."""
        tally = Tally()
        facts = survey_frames(source.name, self.format, self._played(source, tally), tally)
        return FrameDrive(source.name, facts, lambda: self._played(source.unheard(), Tally()))

    def _played(self, source: DriveSource, tally: Tally) -> Iterator[Frame]:
        """In file order: the packets of a message follow each other, whatever their stamps say."""
        return forward(self.frames(source, tally), tally)


@dataclass(frozen=True, slots=True)
class RecordReader:
    """A format that holds measured values."""

    format: str
    title: str
    recognises: Callable[[bytes], bool]
    records: Callable[[DriveSource, Tally], Iterator[Record]]
    """In file order; records of one time need not be one."""

    def open(self, source: DriveSource) -> RecordDrive:
        """Read the file once for its facts; ``DriveUnreadable`` when nothing in it is known."""
        tally = Tally()
        facts = survey_records(source.name, self.format, self._played(source, tally), tally)
        return RecordDrive(source.name, facts, lambda: self._played(source.unheard(), Tally()))

    def _played(self, source: DriveSource, tally: Tally) -> Iterator[Record]:
        return joined(in_order(forward(self.records(source, tally), tally)))


READERS: tuple[FrameReader | RecordReader, ...] = (
    FrameReader("blf", "Vector BLF", blf.recognises, blf.frames),
    RecordReader("gpx", "GPX", gpx.recognises, gpx.records),
    FrameReader("asc", "Vector ASC", asc.recognises, asc.frames),
    FrameReader("candump", "candump logs", candump.recognises, candump.frames),
    RecordReader("nmea", "NMEA 0183", nmea.recognises, nmea.records),
    RecordReader("kuksa-csv", "the Kuksa csv-provider's form", kuksa.recognises, kuksa.records),
    RecordReader(
        "long-csv", "CSV with a row for each value", long_table.recognises, long_table.records
    ),
    RecordReader("csv", "CSV with a header row", table.recognises, table.records),
)


FORMATS = ", ".join(reader.title for reader in READERS)
"""Every format that is read, for sentences."""


def open_drive(path: Path | str, hear: Hear = unheard) -> Drive:
    """Open a drive file of any known format, plain or gzipped; ``DriveUnreadable`` otherwise.

    It is read to its end once; ``hear`` is told how far that has come, from 0 to 1.
    """
    source = DriveSource(Path(path), hear)
    head = source.head()
    if not head.strip(b"\xef\xbb\xbf \t\r\n\0"):
        raise DriveUnreadable(f"{source.name} is empty: there is nothing to play.")
    for reader in READERS:
        if reader.recognises(head):
            return reader.open(source)
    for signature, what in _OTHER_FORMATS:
        if head.startswith(signature):
            raise DriveUnreadable(f"{source.name} is {what}.")
    raise DriveUnreadable(f"{source.name} is in no format that is known here ({FORMATS}).")


_OTHER_FORMATS = (
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
    (b"MDF     ", "an ASAM MDF measurement, which is not read here: export it as BLF, ASC or CSV"),
    (b"PK\x03\x04", "a ZIP archive: unpack it, and give one of its files"),
    (b"BZh", "packed by bzip2: unpack it, or pack it by gzip"),
    (b"\xfd7zXZ", "packed by xz: unpack it, or pack it by gzip"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it, or pack it by gzip"),
)
"""First bytes of what users have and no reader reads, and what to do with it."""
