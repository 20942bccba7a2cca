"""ISO-TP messages, overheard (ISO 15765-2): no flow control is sent, a gap drops the message."""

from dataclasses import dataclass, field

CONSECUTIVE_TIMEOUT_MS = 1_000
"""N_Cr of ISO 15765-2."""

_SINGLE, _FIRST, _CONSECUTIVE = range(3)
_SENDERS_MAX = 16


@dataclass(slots=True)
class _Partial:
    size: int
    received: bytearray
    at_ms: float
    next_number: int = 1


@dataclass(slots=True)
class IsoTp:
    """One message in progress per sender."""

    _partial: dict[int, _Partial] = field(default_factory=dict)

    def frame(self, sender: int, data: bytes, at_ms: float) -> bytes | None:
        """Take a frame of up to 8 bytes; the message that it completes, if it does."""
        if not data:
            return None
        kind, low = data[0] >> 4, data[0] & 0x0F
        if kind == _SINGLE:
            return data[1 : 1 + low] if 0 < low < len(data) else None
        if kind == _FIRST and len(data) == 8:
            self._begin(sender, (low << 8) | data[1], data[2:], at_ms)
        elif kind == _CONSECUTIVE:
            return self._continue(sender, low, data[1:], at_ms)
        return None

    def _begin(self, sender: int, size: int, data: bytes, at_ms: float) -> None:
        if size <= len(data):
            return
        if sender not in self._partial and len(self._partial) >= _SENDERS_MAX:
            del self._partial[min(self._partial, key=lambda k: self._partial[k].at_ms)]
        self._partial[sender] = _Partial(size, bytearray(data), at_ms)

    def _continue(self, sender: int, number: int, data: bytes, at_ms: float) -> bytes | None:
        partial = self._partial.get(sender)
        if partial is None:
            return None
        late = not 0 <= at_ms - partial.at_ms <= CONSECUTIVE_TIMEOUT_MS
        if late or number != partial.next_number:
            del self._partial[sender]
            return None
        partial.received += data
        partial.next_number = (number + 1) & 0x0F
        partial.at_ms = at_ms
        if len(partial.received) < partial.size:
            return None
        del self._partial[sender]
        return bytes(partial.received[: partial.size])
