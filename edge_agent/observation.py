"""What a source says, decoded: readings, GNSS time, texts, and how far its time has come."""

from typing import NamedTuple

from edge_agent.selection import Sender


class Reading(NamedTuple):
    """One value of a catalogue signal, in the signal's unit."""

    signal_id: int
    value: float
    sender: Sender


class Observation(NamedTuple):
    """What was heard at one moment of a source's own time line."""

    stamp_ms: float
    readings: tuple[Reading, ...] = ()
    gnss_ms: float | None = None
    """UTC in ms that a GNSS receiver gave with it."""
    gnss_uncertainty_ms: int = 0
    epoch_ms: float | None = None
    """UTC in ms at which the receiver measured the readings, when it says so."""
    vin: str | None = None
