"""Messages longer than a frame, overheard (SAE J1939-21 5.10): BAM and RTS/CTS sessions.

Listening only: nothing is answered, so a session that misses a packet is dropped.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

CONNECTION_MANAGEMENT = 0xEC00
DATA_TRANSFER = 0xEB00

MESSAGE_BYTES_MAX = 1_785
PACKET_TIMEOUT_MS = 1_250
"""T1 is 750 ms and T2 1,250 ms (J1939-21 5.13.3); a listener can allow the longer one."""

_RTS, _BAM, _ABORT = 0x10, 0x20, 0xFF
_PACKET_BYTES = 7
_SESSIONS_MAX = 64


class Message(NamedTuple):
    """A reassembled message."""

    pgn: int
    source: int
    data: bytes


@dataclass(slots=True)
class _Session:
    pgn: int
    size: int
    packets: int
    at_ms: float
    received: bytearray = field(default_factory=bytearray)
    next_packet: int = 1


@dataclass(slots=True)
class Transport:
    """Open sessions by (source, destination); one per pair at a time, as the standard has it."""

    _sessions: dict[tuple[int, int], _Session] = field(default_factory=dict)

    def connection(self, source: int, destination: int, data: bytes, at_ms: float) -> None:
        """Take a connection management frame (PGN 60416)."""
        if len(data) != 8:
            return
        if data[0] == _ABORT:
            self._sessions.pop((source, destination), None)
            self._sessions.pop((destination, source), None)
        if data[0] not in (_RTS, _BAM):
            return
        size, packets = int.from_bytes(data[1:3], "little"), data[3]
        if not 8 < size <= MESSAGE_BYTES_MAX or packets != -(-size // _PACKET_BYTES):
            return
        if len(self._sessions) >= _SESSIONS_MAX:
            del self._sessions[min(self._sessions, key=lambda k: self._sessions[k].at_ms)]
        pgn = int.from_bytes(data[5:8], "little")
        self._sessions[source, destination] = _Session(pgn, size, packets, at_ms)

    def packet(self, source: int, destination: int, data: bytes, at_ms: float) -> Message | None:
        """Take a data transfer frame (PGN 60160); the message that it completes, if it does."""
        session = self._sessions.get((source, destination))
        if session is None or len(data) != 8:
            return None
        late = not 0 <= at_ms - session.at_ms <= PACKET_TIMEOUT_MS
        if late or data[0] != session.next_packet:
            del self._sessions[source, destination]
            return None
        session.received += data[1:]
        session.next_packet += 1
        session.at_ms = at_ms
        if session.next_packet <= session.packets:
            return None
        del self._sessions[source, destination]
        return Message(session.pgn, source, bytes(session.received[: session.size]))
