"""What a drive file holds, whatever its format: frames of a bus, or records of VSS values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Value = float | str
"""A number in the catalogue's unit, the name of an enumeration's value, or a text (VIN)."""

ABSOLUTE_FROM_NS = 946_684_800 * 10**9
"""Times from 2000 on are UTC; earlier ones count from the start of a logger."""

MS_NS = 10**6
OTHER_FRAMES = "CAN FD, remote and error frames"
"""What a bus also carries and none of the readers hands on."""

_NAMES_MAX = 1_000
_NAME_CHARACTERS_MAX = 60
_SECOND_NS = 10**9


def second_of(time_ns: int) -> int:
    """The second that a time belongs to, named by its end: second S is (S - 1 s, S]."""
    return -(-time_ns // _SECOND_NS)


class DriveUnreadable(ValueError):
    """A drive file that can't be played; its text is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A CAN data frame as recorded: ``time_ns`` since 1970, or since the logger's start."""

    time_ns: int
    channel: str
    can_id: int
    extended: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What was measured at one instant, a whole ms: VSS path to value."""

    time_ns: int
    values: Mapping[str, Value]


@dataclass(slots=True)
class Tally:
    """What a reader met on its way and did not hand on."""

    left_out: dict[str, None] = field(default_factory=dict)
    """Columns or signals without a place on this bench, in the order met."""
    unreadable: int = 0
    """Lines, rows or values that do not follow the format."""
    no_position: int = 0
    """Rows whose position the receiver itself did not vouch for."""
    untimed: int = 0
    """Rows or frames without a usable time."""
    earlier: int = 0
    """Rows or frames that are a little earlier than one before."""
    behind: int = 0
    """Rows or frames that go back to a time that has passed."""
    alone: int = 0
    """Rows or frames far ahead of the others, which nothing follows."""
    local_time: bool = False
    """The file's date is local time of a zone that it does not name."""
    cut_short: bool = False
    """The file ends in the middle of something."""

    def leave_out(self, name: str) -> None:
        """Name something that has no place here: once, shortened, and not without end."""
        if len(self.left_out) < _NAMES_MAX:
            self.left_out[name.strip()[:_NAME_CHARACTERS_MAX]] = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first pass over a drive found."""

    format: str
    first_ns: int
    last_ns: int
    absolute: bool
    """Whether times are UTC; otherwise they count from the start."""
    seconds: int
    """Distinct seconds that hold at least one known signal."""
    items: int
    """Frames, or records."""
    signals: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    satellite_ahead_ns: int = 0
    """How far satellite time, when a recorded bus first tells it, is ahead of the logger's."""
    satellite_doubt_ns: int = 0
    """By how much the receiver's frames come early or late."""

    @property
    def span_s(self) -> float:
        """Seconds from the first item to the last."""
        return (self.last_ns - self.first_ns) / 1e9


@dataclass(frozen=True)
class FrameDrive:
    """A drive recorded on a bus. ``frames`` reads the file again from its start."""

    name: str
    facts: Facts
    frames: Callable[[], Iterator[Frame]]


@dataclass(frozen=True)
class RecordDrive:
    """A drive recorded as values. ``records`` reads the file again from its start."""

    name: str
    facts: Facts
    records: Callable[[], Iterator[Record]]


Drive = FrameDrive | RecordDrive
