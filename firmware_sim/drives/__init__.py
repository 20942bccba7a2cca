"""Recorded drives: readers of the formats that loggers write, behind one data model."""

from firmware_sim.drives.model import (
    Drive,
    DriveUnreadable,
    Facts,
    Frame,
    FrameDrive,
    Record,
    RecordDrive,
)
from firmware_sim.drives.readers import open_drive
from firmware_sim.drives.seconds import seconds_with_data
from firmware_sim.drives.shipped import shipped_drive

__all__ = [
    "Drive",
    "DriveUnreadable",
    "Facts",
    "Frame",
    "FrameDrive",
    "Record",
    "RecordDrive",
    "open_drive",
    "seconds_with_data",
    "shipped_drive",
]
