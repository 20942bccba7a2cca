"""Which seconds a drive has data in: what anybody can hold against what was committed.

A second is named by its end, as samples are: second S holds what was measured in (S - 1 s, S].
A recorded bus whose satellite receiver tells another time than the logger's clock is put on the
receiver's; a time so near the border of a second that the receiver's own jitter may move it across
is then not counted, for nobody can say where it belongs.
"""

from collections.abc import Iterator

from firmware_sim.drives.known_frames import KnownFrames
from firmware_sim.drives.model import MS_NS, Drive, FrameDrive, second_of
from firmware_sim.drives.values import holds_samples


def seconds_with_data(drive: Drive, t_zero_ms: int | None = None) -> set[int]:
    """UTC seconds (since 1970) in which the drive holds a known signal that is sampled.

    ``t_zero_ms`` is the UTC at which playing put the drive's first item (the bench truck prints
    it); without it the drive's own times count, which for one without absolute time start near 0.
    """
    first_ms = drive.facts.first_ns // MS_NS
    shift_ns = 0 if t_zero_ms is None else (t_zero_ms - first_ms) * MS_NS
    if not isinstance(drive, FrameDrive):
        return {
            second_of(record.time_ns + shift_ns)
            for record in drive.records()
            if holds_samples(record.values.keys())
        }
    return set(_seconds_of_bus(drive, shift_ns))


def _seconds_of_bus(drive: FrameDrive, shift_ns: int) -> Iterator[int]:
    known = KnownFrames()
    ahead_ns, doubt_ns = drive.facts.satellite_ahead_ns, drive.facts.satellite_doubt_ns
    for frame in drive.frames():
        paths = known.paths_in(frame)
        if known.satellite.last_ahead_ns is not None:
            ahead_ns = known.satellite.last_ahead_ns
        utc_ns = frame.time_ns + shift_ns + ahead_ns
        if paths and second_of(utc_ns - doubt_ns) == second_of(utc_ns + doubt_ns):
            yield second_of(utc_ns)
