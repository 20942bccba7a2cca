"""The drive that ships with the program, so that a demo needs nothing beside the clone."""

from importlib.resources import files
from pathlib import Path

ECLIPSE_TRUCK = "eclipse-truck"
"""A heavy truck, 15 minutes, 7.15 km by odometer; Apache-2.0, see ``drives/data``."""

_FILES = {ECLIPSE_TRUCK: "signalsFmsRecording.csv"}


def shipped_drive(name: str = ECLIPSE_TRUCK) -> Path | None:
    """The file of a shipped drive; None when none has this name."""
    file = _FILES.get(name)
    return None if file is None else Path(str(files("firmware_sim.drives.data") / file))
