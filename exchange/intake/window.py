"""What one MQTT session has handed over and nobody has acknowledged yet: bounded, and pure.

    arrived ─► waiting ─► in a worker's hands ─► settled: the broker may forget it
                  ▲                 │
                  └── worker gone ──┘

When the connection to the broker ends, all of it is forgotten here: the broker hands it over again
on the next connection. What a worker has in hand is then committed and comes again as a duplicate;
it is not acknowledged by its old packet id, which may by then belong to another message.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

MESSAGES_MAX = 20_000
BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """One message; ``packet_id`` is the session's, ``received_us`` UTC µs since 1970."""

    packet_id: int
    topic: str
    payload: bytes
    received_us: int


class Window:
    """Messages by token (never reused), and which worker has which."""

    def __init__(self, messages_max: int = MESSAGES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._held: dict[int, Held] = {}
        self._waiting: deque[int] = deque()
        self._in_hand: dict[int, set[int]] = {}
        self._bytes = 0
        self._next_token = 0

    @property
    def full(self) -> bool:
        """Whether nothing more may arrive until something is settled."""
        return len(self._held) >= self._messages_max or self._bytes >= self._bytes_max

    @property
    def waiting(self) -> int:
        """How many messages no worker has."""
        return len(self._waiting)

    def arrive(self, message: Held) -> None:
        """The broker has handed over a message."""
        self._held[self._next_token] = message
        self._waiting.append(self._next_token)
        self._bytes += len(message.payload)
        self._next_token += 1

    def take(self, worker: int, messages_max: int, bytes_max: int) -> list[tuple[int, Held]]:
        """Give the longest waiting to a worker, up to the limits but at least one if any waits."""
        taken: list[tuple[int, Held]] = []
        size = 0
        while self._waiting and len(taken) < messages_max:
            message = self._held[self._waiting[0]]
            size += len(message.payload)
            if taken and size > bytes_max:
                break
            taken.append((self._waiting.popleft(), message))
        self._in_hand.setdefault(worker, set()).update(token for token, _ in taken)
        return taken

    def settle(self, worker: int, tokens: Iterable[int]) -> list[int]:
        """Forget what a worker has done; the packet ids that the broker may forget now."""
        in_hand = self._in_hand.get(worker, set())
        packet_ids = []
        for token in tokens:
            if token in in_hand:
                in_hand.discard(token)
                packet_ids.append(self._forget(token).packet_id)
        return packet_ids

    def give_back(self, worker: int) -> None:
        """A worker is gone: what it had waits again, before what came later."""
        self._waiting.extendleft(sorted(self._in_hand.pop(worker, ()), reverse=True))

    def end_session(self) -> None:
        """The connection to the broker ended."""
        self._held.clear()
        self._waiting.clear()
        self._in_hand.clear()
        self._bytes = 0

    def _forget(self, token: int) -> Held:
        message = self._held.pop(token)
        self._bytes -= len(message.payload)
        return message
