"""The first pass over a drive: what it holds, before anything is played."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise

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
_DOUBT_MAX_NS = 400_000_000
_DOUBT_SHARE = 0.9


@dataclass(slots=True)
class _Survey:
    items: int = 0
    first_ns: int | None = None
    latest_ns: int = 0
    earlier_than_before: int = 0
    _previous_ns: int = 0
    seconds: set[int] = field(default_factory=set)
    signals: dict[str, None] = field(default_factory=dict)

    def add(self, time_ns: int, paths: Set[str]) -> None:
        self.items += 1
        self.first_ns = time_ns if self.first_ns is None else min(self.first_ns, time_ns)
        self.latest_ns = max(self.latest_ns, time_ns)
        self.earlier_than_before += time_ns < self._previous_ns
        self._previous_ns = time_ns
        self.signals |= dict.fromkeys(paths)
        if holds_samples(paths):
            self.seconds.add(second_of(time_ns))

    def facts(self, name: str, format_name: str, tally: Tally) -> Facts:
        if self.first_ns is None or not self.seconds:
            raise _nothing_known(name, tally)
        return Facts(
            format=format_name,
            first_ns=self.first_ns,
            last_ns=self.latest_ns,
            absolute=self.first_ns >= ABSOLUTE_FROM_NS,
            seconds=len(self.seconds),
            items=self.items,
            signals=tuple(sorted(self.signals)),
            left_out=tuple(tally.left_out),
            notes=tuple(_notes(tally, self.earlier_than_before)),
        )


def survey_frames(name: str, format_name: str, frames: Iterable[Frame], tally: Tally) -> Facts:
    """The facts of a recorded bus; ``DriveUnreadable`` when no frame of it is known."""
    survey, known = _Survey(), KnownFrames()
    for frame in frames:
        survey.add(frame.time_ns, known.paths_in(frame))
    ahead_ns, doubt_ns = _satellite_clock(known.satellite_ahead_ns)
    facts = survey.facts(name, format_name, tally)
    return replace(facts, satellite_ahead_ns=ahead_ns, satellite_doubt_ns=doubt_ns)


def survey_records(name: str, format_name: str, records: Iterable[Record], tally: Tally) -> Facts:
    """The facts of a table; ``DriveUnreadable`` when no column of it is known."""
    survey = _Survey()
    for record in records:
        survey.add(record.time_ns, record.values.keys())
    return survey.facts(name, format_name, tally)


def _nothing_known(name: str, tally: Tally) -> DriveUnreadable:
    left_out = list(tally.left_out)
    if not left_out:
        return DriveUnreadable(f"{name} holds no known signal: there is nothing to play.")
    named = ", ".join(left_out[:_LEFT_OUT_NAMED_MAX])
    more = ", …" if len(left_out) > _LEFT_OUT_NAMED_MAX else ""
    return DriveUnreadable(f"{name} holds no known signal, only {named}{more}.")


def _notes(tally: Tally, earlier_than_before: int) -> list[str]:
    counts = (
        (tally.unreadable, "lines or values could not be read"),
        (tally.no_position, "rows had no valid position"),
        (tally.untimed, "rows or frames had no time of their own"),
        (earlier_than_before, "rows or frames are earlier than the one before"),
    )
    return [f"{count} {what}" for count, what in counts if count]


def _satellite_clock(ahead_ns: list[int]) -> tuple[int, int]:
    """The first difference told, and twice what nearly all successive ones differ by."""
    if not ahead_ns:
        return 0, 0
    changes = sorted(abs(later - earlier) for earlier, later in pairwise(ahead_ns))
    usual = changes[int(_DOUBT_SHARE * (len(changes) - 1))] if changes else 0
    return ahead_ns[0], min(_DOUBT_MAX_NS, 2 * usual)
