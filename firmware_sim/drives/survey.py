"""The first pass over a drive: what it holds, before anything is played."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace

from firmware_sim.drives.held_seconds import HOURS_MAX, HeldSeconds, TooManyHours
from firmware_sim.drives.known_frames import KnownFrames
from firmware_sim.drives.model import (
    ABSOLUTE_FROM_NS,
    DriveUnreadable,
    Facts,
    Frame,
    Record,
    Tally,
    second_of,
)
from firmware_sim.drives.values import holds_samples

_LEFT_OUT_NAMED_MAX = 8


@dataclass(slots=True)
class _Survey:
    name: str
    items: int = 0
    first_ns: int | None = None
    latest_ns: int = 0
    seconds: HeldSeconds = field(default_factory=HeldSeconds)
    signals: dict[str, None] = field(default_factory=dict)

    def add(self, time_ns: int, paths: Set[str]) -> None:
        self.items += 1
        self.first_ns = time_ns if self.first_ns is None else min(self.first_ns, time_ns)
        self.latest_ns = max(self.latest_ns, time_ns)
        self.signals |= dict.fromkeys(paths)
        if holds_samples(paths):
            self._count_second(second_of(time_ns))

    def _count_second(self, second: int) -> None:
        try:
            self.seconds.add(second)
        except TooManyHours:
            raise DriveUnreadable(
                f"{self.name} has data in more than {HOURS_MAX} different hours, more than a year "
                "of driving: cut it into smaller files."
            ) from None

    def facts(self, format_name: str, tally: Tally) -> Facts:
        if self.first_ns is None or not self.seconds:
            raise _nothing_known(self.name, tally)
        if tally.behind > self.items:
            raise DriveUnreadable(
                f"{self.name} goes back in time, and most of it lies behind that: cut it there "
                "into files whose times go forward."
            )
        return Facts(
            format=format_name,
            first_ns=self.first_ns,
            last_ns=self.latest_ns,
            absolute=self.first_ns >= ABSOLUTE_FROM_NS,
            seconds=len(self.seconds),
            items=self.items,
            signals=tuple(sorted(self.signals)),
            left_out=tuple(tally.left_out),
            notes=tuple(_notes(tally)),
        )


def survey_frames(name: str, format_name: str, frames: Iterable[Frame], tally: Tally) -> Facts:
    """The facts of a recorded bus; ``DriveUnreadable`` when no frame of it is known."""
    survey, known = _Survey(name), KnownFrames()
    for frame in frames:
        survey.add(frame.time_ns, known.paths_in(frame))
    clock = known.satellite
    return replace(
        survey.facts(format_name, tally),
        satellite_ahead_ns=clock.first_ahead_ns or 0,
        satellite_doubt_ns=clock.doubt_ns,
    )


def survey_records(name: str, format_name: str, records: Iterable[Record], tally: Tally) -> Facts:
    """The facts of a table; ``DriveUnreadable`` when no column of it is known."""
    survey = _Survey(name)
    for record in records:
        survey.add(record.time_ns, record.values.keys())
    return survey.facts(format_name, tally)


def _nothing_known(name: str, tally: Tally) -> DriveUnreadable:
    left_out = list(tally.left_out)
    if not left_out:
        return DriveUnreadable(f"{name} holds no known signal: there is nothing to play.")
    named = ", ".join(left_out[:_LEFT_OUT_NAMED_MAX])
    more = ", …" if len(left_out) > _LEFT_OUT_NAMED_MAX else ""
    return DriveUnreadable(f"{name} holds no known signal, only {named}{more}.")


def _notes(tally: Tally) -> list[str]:
    counts = (
        (tally.unreadable, "lines or values could not be read"),
        (tally.no_position, "rows had no valid position"),
        (tally.untimed, "rows or frames had no time of their own"),
        (tally.earlier, "rows or frames are a little earlier than one before"),
        (
            tally.behind,
            "rows or frames go back in time and are left out; to play them, cut the file there",
        ),
        (tally.alone, "rows or frames stand alone in another time and are left out"),
    )
    notes = [f"{count} {what}" for count, what in counts if count]
    if tally.local_time:
        notes.append("the file's date is local time without a zone, taken as UTC")
    if tally.cut_short:
        notes.append("the file is cut short: its end is missing")
    return notes
