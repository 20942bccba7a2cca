"""How far a recorded bus's satellite time is ahead of its logger's, and how much that jitters."""

from dataclasses import dataclass, field

_DOUBT_MAX_NS = 400_000_000
_DOUBT_SHARE = 0.9
_CHANGES_MAX = 10_000
"""The first ones say how much a receiver's frames come early or late; a huge file has millions."""


@dataclass(slots=True)
class SatelliteClock:
    """Hears every frame that tells satellite time, in the file's order."""

    first_ahead_ns: int | None = None
    last_ahead_ns: int | None = None
    _changes: list[int] = field(default_factory=list)

    def hear(self, ahead_ns: int) -> None:
        """Satellite time less the frame's own."""
        if self.last_ahead_ns is None:
            self.first_ahead_ns = ahead_ns
        elif len(self._changes) < _CHANGES_MAX:
            self._changes.append(abs(ahead_ns - self.last_ahead_ns))
        self.last_ahead_ns = ahead_ns

    @property
    def doubt_ns(self) -> int:
        """Twice what nearly all successive differences differ by."""
        changes = sorted(self._changes)
        usual = changes[int(_DOUBT_SHARE * (len(changes) - 1))] if changes else 0
        return min(_DOUBT_MAX_NS, 2 * usual)
