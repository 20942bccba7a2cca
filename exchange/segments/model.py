"""Segments on their way into the table and out of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Identity(NamedTuple):
    """What names a statement of a device for ever, segment or gap."""

    carrier: str
    device: str
    boot: bytes
    seq: int


class NewSegment(NamedTuple):
    """A verified segment that is to become a row; ``received_at`` is when the broker had it.

    ``place`` is where its payload is in the batch that was read with it.
    """

    identity: Identity
    vehicle: str
    digest: bytes
    raw: bytes
    received_at: datetime
    place: int


class Summary(NamedTuple):
    """What dashboards ask of a segment: speeds and positions in catalogue scale, distance in m.

    ``distance_m`` adds the chords between fixes, noise included: no figure to settle by.
    """

    speed_min: int | None = None
    speed_max: int | None = None
    speed_mean: float | None = None
    distance_m: float | None = None
    latitude_min: int | None = None
    latitude_max: int | None = None
    longitude_min: int | None = None
    longitude_max: int | None = None


@dataclass(frozen=True, slots=True)
class CommittedSegment:
    """A segment of the log: its leaf's index, its names and its signed bytes. Times in UTC ms."""

    index: int
    digest: bytes
    carrier: str
    device: str
    boot: bytes
    seq: int
    vehicle: str
    t0: int
    t_end: int
    n: int
    flags: int
    driver_class: bool
    received_at: datetime
    committed_at: datetime
    raw: bytes
