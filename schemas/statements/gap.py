"""A gap (kind 2): time for which the device holds no samples, signed in the place they would have.

Shares boot, seq, prev and salt with segments, and their sequence and chain.
"""

from dataclasses import dataclass

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import SALT_BYTES, TIME_MS_MAX
from schemas.segment import take_chain, take_clock

CAUSE_DROPPED = 1
"""Sealed, never receipted, and dropped from a full outbox."""
CAUSE_RESTART = 2
"""Between the last journalled sample and the first one of a new start."""

_KEYS = (1, 2, 3, 4, 5, 6, 7, 8, 9)


@dataclass(frozen=True, slots=True)
class Gap:
    """No samples after ``from_ms`` and before ``to_ms`` (UTC ms, as the agent believed)."""

    boot: bytes
    seq: int
    prev: bytes
    from_ms: int
    to_ms: int
    cause: int
    clock: tuple[int, int]
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        fields = (1, self.boot, self.seq, self.prev, self.from_ms, self.to_ms, self.cause)
        return cbor.encode(dict(enumerate((*fields, list(self.clock), self.salt), start=1)))


def decode(payload: bytes) -> Gap:
    """Read a gap's payload; ``StatementRefused`` when it is none."""
    fields = cbor.take_map(cbor.decode(payload), "a gap", _KEYS)
    cbor.take_version(fields[1], "a gap")
    boot, seq, prev = take_chain(fields)
    from_ms = cbor.take_uint(fields[5], "the start of a gap", TIME_MS_MAX)
    to_ms = cbor.take_uint(fields[6], "the end of a gap", TIME_MS_MAX)
    if to_ms < from_ms:
        raise malformed("a gap that ends before it starts")
    return Gap(
        boot=boot,
        seq=seq,
        prev=prev,
        from_ms=from_ms,
        to_ms=to_ms,
        cause=cbor.take_uint(fields[7], "the cause of a gap", 255),
        clock=take_clock(fields[8]),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
