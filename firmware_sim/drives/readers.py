"""The drive formats that are known, and the way from a file to a drive.

A reader recognises its format by content. A further format is a further row of ``READERS``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.drives import candump, kuksa, table
from firmware_sim.drives.model import (
    Drive,
    DriveUnreadable,
    Frame,
    FrameDrive,
    Record,
    RecordDrive,
    Tally,
)
from firmware_sim.drives.source import DriveSource
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
        facts = survey_frames(source.name, self.format, self.frames(source, tally), tally)
        return FrameDrive(source.name, facts, lambda: self.frames(source, Tally()))


@dataclass(frozen=True, slots=True)
class RecordReader:
    """A format that holds measured values."""

    format: str
    title: str
    recognises: Callable[[bytes], bool]
    records: Callable[[DriveSource, Tally], Iterator[Record]]

    def open(self, source: DriveSource) -> RecordDrive:
        """Read the file once for its facts; ``DriveUnreadable`` when nothing in it is known."""
        tally = Tally()
        facts = survey_records(source.name, self.format, self.records(source, tally), tally)
        return RecordDrive(source.name, facts, lambda: self.records(source, Tally()))


READERS: tuple[FrameReader | RecordReader, ...] = (
    FrameReader("candump", "candump logs", candump.recognises, candump.frames),
    RecordReader("kuksa-csv", "the Kuksa csv-provider's form", kuksa.recognises, kuksa.records),
    RecordReader("csv", "CSV with a header row", table.recognises, table.records),
)


def open_drive(path: Path | str) -> Drive:
    """Open a drive file of any known format, plain or gzipped; ``DriveUnreadable`` otherwise."""
    source = DriveSource(Path(path))
    head = source.head()
    if not head.strip():
        raise DriveUnreadable(f"{source.name} is empty: there is nothing to play.")
    for reader in READERS:
        if reader.recognises(head):
            return reader.open(source)
    known = ", ".join(reader.title for reader in READERS)
    raise DriveUnreadable(f"{source.name} is in no format that is known here ({known}).")
