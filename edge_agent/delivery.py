"""When which statement is sent, and sent again. Pure: ids and times in, ids out.

A statement is on its way from its first publication until a verified receipt or a refusal for ever.
The broker's own acknowledgement settles nothing. One that is silent for longer than a receipt takes
may have been turned away by a broker that is full; nobody says so, and asking more often would make
it worse. So, as in TCP, the window of what may be on its way halves when a round of it brought
silence or an over-quota refusal, grows with what is receipted (quickly at first, then by a few in
each round), and each receipt lets one more of the silent ones go at once: the backlog comes in as
fast as it is taken.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

WINDOW = 512
"""Statements on their way at once, at most."""
WINDOW_FIRST = 16
WINDOW_LEAST = 8
"""What is always tried: enough that a truck in service never waits for its own backlog."""

_ENTRIES_WINDOWS = 20
_GROWTH = 8
"""How much a window that was once too large grows in a round of receipts."""
_BACKOFF_MAX_MS = 3_600_000
_JITTER_SHARE = 0.25
_RECONNECTED_MS = 3_000
_HURRIED_ATTEMPTS_MAX = 8
"""What was sent more often is not hurried: it may be what the exchange never answers."""


@dataclass(slots=True)
class _Entry:
    due_ms: float
    attempts: int = 0
    sent_ms: float | None = None
    """When it was last sent; None while nothing of it can be on its way."""
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
    _open: float = field(init=False)
    """The window as it is now."""
    _narrowed_ms: float = -1.0

    def __post_init__(self) -> None:
        """Begin with a few; receipts say how many more."""
        self._open = min(WINDOW_FIRST, self.window)

    def room(self, now_ms: float) -> int:
        """How many more statements may be taken from the outbox."""
        if len(self._entries) >= self.window * _ENTRIES_WINDOWS:
            return 0
        unsent = sum(not entry.attempts for entry in self._entries.values())
        return max(0, int(self._open) - unsent - len(self._flying(now_ms)))

    def add(self, ids: Iterable[int], now_ms: float) -> None:
        """Statements that may be sent from now on."""
        for statement_id in ids:
            self._entries.setdefault(statement_id, _Entry(now_ms))
            self.newest = max(self.newest, statement_id)

    def due(self, now_ms: float, limit: int) -> list[int]:
        """What is to be sent now, oldest first, as far as the window is open."""
        free = int(self._open) - len(self._flying(now_ms))
        due = [i for i, entry in self._entries.items() if entry.due_ms <= now_ms]
        return sorted(due)[: max(0, min(limit, free))]

    def next_due_ms(self, now_ms: float) -> float | None:
        """When the next statement may be sent."""
        flying = self._flying(now_ms)
        if len(flying) >= int(self._open):
            return min(flying) + self.resend_ms
        return min((entry.due_ms for entry in self._entries.values()), default=None)

    def sent(self, statement_id: int, now_ms: float) -> None:
        """The broker has it; without a receipt it is sent again after a while, ever more rarely."""
        entry = self._entries.get(statement_id)
        if entry is None:
            return
        if entry.attempts:
            self._narrow(entry, now_ms)
        self._put_off(entry, now_ms)
        entry.sent_ms = now_ms

    def reconnected(self, now_ms: float) -> None:
        """A new session: receipts may have passed by while there was none, so wait less long."""
        for entry in self._entries.values():
            if not entry.postponed:
                wait_ms = _RECONNECTED_MS * (1 + self.random())
                entry.due_ms = min(entry.due_ms, now_ms + wait_ms)
                entry.sent_ms = None

    def postponed(self, statement_id: int, now_ms: float) -> None:
        """The exchange can't take this one yet: later, without holding up the rest."""
        entry = self._entries.get(statement_id)
        if entry is not None:
            self._put_off(entry, now_ms)
            entry.sent_ms, entry.postponed = None, True

    def over_quota(self, statement_id: int, now_ms: float) -> None:
        """The exchange takes no more of this device now: what silence would say, only sooner."""
        entry = self._entries.get(statement_id)
        if entry is not None and entry.attempts:
            self._narrow(entry, now_ms)
            entry.due_ms = now_ms + self._wait_ms(entry.attempts - 1) * (1 + self.random())
            entry.sent_ms = None

    def receipted(self, ids: Iterable[int], now_ms: float) -> None:
        """Receipts came: more may be on its way, and the oldest of the silent ones go at once."""
        taken = [i for i in ids if self._entries.pop(i, None) is not None]
        growth = 1 if self._narrowed_ms < 0 else min(1.0, _GROWTH / self._open)
        self._open = min(self.window, self._open + len(taken) * growth)
        silent = [i for i, entry in self._entries.items() if self._may_hurry(entry, now_ms)]
        for statement_id in sorted(silent)[: len(taken)]:
            self._entries[statement_id].due_ms = now_ms

    def settled(self, ids: Iterable[int]) -> None:
        """Nothing more is to be sent of these."""
        for statement_id in ids:
            self._entries.pop(statement_id, None)

    def _flying(self, now_ms: float) -> list[float]:
        """When each was sent whose receipt may still come."""
        return [
            entry.sent_ms
            for entry in self._entries.values()
            if entry.sent_ms is not None and now_ms < entry.sent_ms + self.resend_ms
        ]

    def _may_hurry(self, entry: _Entry, now_ms: float) -> bool:
        if entry.postponed or not 0 < entry.attempts <= _HURRIED_ATTEMPTS_MAX:
            return False
        flies = entry.sent_ms is not None and now_ms < entry.sent_ms + self.resend_ms
        return entry.due_ms > now_ms and not flies

    def _narrow(self, entry: _Entry, now_ms: float) -> None:
        """Halve the window, once for all that was sent before it was last halved."""
        if entry.sent_ms is not None and entry.sent_ms > self._narrowed_ms:
            self._open = max(min(WINDOW_LEAST, self.window), self._open / 2)
            self._narrowed_ms = now_ms

    def _put_off(self, entry: _Entry, now_ms: float) -> None:
        entry.due_ms = now_ms + self._wait_ms(entry.attempts) * (1 + _JITTER_SHARE * self.random())
        entry.attempts = min(entry.attempts + 1, 30)

    def _wait_ms(self, attempts: int) -> float:
        return min(self.resend_ms * 2.0**attempts, max(_BACKOFF_MAX_MS, self.resend_ms))
