"""When which statement is sent, and sent again. Pure: ids and times in, ids out.

A statement is on its way from its first publication until a verified receipt or a refusal for ever.
The broker's own acknowledgement settles nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

WINDOW = 512
"""Statements on their way at once."""

_POSTPONED_WINDOWS = 20
_BACKOFF_MAX_MS = 3_600_000
_JITTER_SHARE = 0.25
_RECONNECTED_MS = 3_000


@dataclass(slots=True)
class _Entry:
    due_ms: float
    attempts: int = 0
    postponed: bool = False


@dataclass(slots=True)
class Delivery:
    """The schedule. ``resend_ms``: how long a receipt is waited for; ``random``: 0 to 1."""

    resend_ms: float
    random: Callable[[], float]
    window: int = WINDOW
    newest: int = 0
    """The id up to which the outbox has been looked at."""
    _entries: dict[int, _Entry] = field(default_factory=dict)

    def room(self) -> int:
        """How many more statements may be on their way."""
        if len(self._entries) >= self.window * _POSTPONED_WINDOWS:
            return 0
        flying = sum(not entry.postponed for entry in self._entries.values())
        return max(0, self.window - flying)

    def add(self, ids: Iterable[int], now_ms: float) -> None:
        """Statements that may be sent from now on."""
        for statement_id in ids:
            self._entries.setdefault(statement_id, _Entry(now_ms))
            self.newest = max(self.newest, statement_id)

    def due(self, now_ms: float, limit: int) -> list[int]:
        """What is to be sent now, oldest first."""
        due = [i for i, entry in self._entries.items() if entry.due_ms <= now_ms]
        return sorted(due)[:limit]

    def next_due_ms(self) -> float | None:
        """When the next statement will be due."""
        return min((entry.due_ms for entry in self._entries.values()), default=None)

    def sent(self, statement_id: int, now_ms: float) -> None:
        """The broker has it; without a receipt it is sent again after a while, ever more rarely."""
        self._put_off(statement_id, now_ms)

    def reconnected(self, now_ms: float) -> None:
        """A new session: receipts may have passed by while there was none, so wait less long."""
        for entry in self._entries.values():
            if not entry.postponed:
                wait_ms = _RECONNECTED_MS * (1 + self.random())
                entry.due_ms = min(entry.due_ms, now_ms + wait_ms)

    def postponed(self, statement_id: int, now_ms: float) -> None:
        """The exchange can't take it yet: later, without holding up the rest."""
        self._put_off(statement_id, now_ms)
        if statement_id in self._entries:
            self._entries[statement_id].postponed = True

    def settled(self, ids: Iterable[int]) -> None:
        """Nothing more is to be sent of these."""
        for statement_id in ids:
            self._entries.pop(statement_id, None)

    def _put_off(self, statement_id: int, now_ms: float) -> None:
        entry = self._entries.get(statement_id)
        if entry is None:
            return
        wait_ms = min(self.resend_ms * 2**entry.attempts, max(_BACKOFF_MAX_MS, self.resend_ms))
        entry.attempts = min(entry.attempts + 1, 30)
        entry.due_ms = now_ms + wait_ms * (1 + _JITTER_SHARE * self.random())
