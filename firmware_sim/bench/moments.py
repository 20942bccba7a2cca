"""A drive as what the bench sends, and when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import merge

from firmware_sim.drives.model import MS_NS, Drive, Facts, Frame, FrameDrive, Record
from firmware_sim.fill_in import filled_in
from firmware_sim.j1939.framing import frames_of
from firmware_sim.nmea.sentences import fix_sentences

_SECOND_MS = 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    """Something to send: a frame or the sentences of a fix, at its UTC in ns."""

    time_ns: int
    frame: Frame | None = None
    sentences: bytes = b""


def start_ms(facts: Facts, now_ms: int) -> int:
    """The UTC of a drive's first item when played: its own, or so that the drive ends now.

    Without absolute time the start is a whole second, so that the drive's seconds are UTC's.
    """
    if facts.absolute:
        return facts.first_ns // MS_NS
    span_ms = -(-(facts.last_ns - facts.first_ns) // MS_NS)
    first_in_second_ms = facts.first_ns // MS_NS % _SECOND_MS
    return (now_ms - span_ms - first_in_second_ms) // _SECOND_MS * _SECOND_MS + first_in_second_ms


def moments(drive: Drive, t_zero_ms: int, fill_in: bool) -> Iterator[Moment]:
    """Everything that a drive sends, in order; its first item at ``t_zero_ms``."""
    shift_ns = (t_zero_ms - drive.facts.first_ns // MS_NS) * MS_NS
    if isinstance(drive, FrameDrive):
        return (_frame_moment(frame, shift_ns) for frame in drive.frames())
    frames = frames_of(_played(drive.records(), shift_ns, fill_in))
    return merge(
        (_frame_moment(frame, 0) for frame in frames),
        _fixes(_played(drive.records(), shift_ns, fill_in=False)),
        key=lambda moment: moment.time_ns,
    )


def _played(records: Iterable[Record], shift_ns: int, fill_in: bool) -> Iterator[Record]:
    for record in filled_in(records) if fill_in else records:
        yield replace(record, time_ns=record.time_ns + shift_ns)


def _fixes(records: Iterable[Record]) -> Iterator[Moment]:
    for record in records:
        if sentences := fix_sentences(record):
            yield Moment(record.time_ns, sentences=sentences)


def _frame_moment(frame: Frame, shift_ns: int) -> Moment:
    time_ns = frame.time_ns + shift_ns
    return Moment(time_ns, frame=replace(frame, time_ns=time_ns))
