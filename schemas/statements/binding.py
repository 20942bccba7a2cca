"""A binding (kind 17): from when to when a device sat in a vehicle, by the carrier's word.

Issuer: the carrier; subject: the vehicle's pseudonym.
"""

from dataclasses import dataclass

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import SALT_BYTES, SUBJECT_CHARS_MAX, TIME_MS_MAX
from schemas.names import is_name


@dataclass(frozen=True, slots=True)
class Binding:
    """Device and vehicle from ``from_ms`` (inclusive) to ``to_ms`` (exclusive; None: open)."""

    device: str
    vehicle: str
    from_ms: int
    to_ms: int | None
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        end = {} if self.to_ms is None else {5: self.to_ms}
        return cbor.encode(
            {1: 1, 2: self.device, 3: self.vehicle, 4: self.from_ms, **end, 9: self.salt}
        )

    def covers(self, at_ms: int) -> bool:
        """Whether the device sat in the vehicle at this time (UTC ms)."""
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


def decode(payload: bytes) -> Binding:
    """Read a binding's payload; ``StatementRefused`` when it is none."""
    fields = cbor.take_map(cbor.decode(payload), "a binding", (1, 2, 3, 4, 9), (5,))
    cbor.take_version(fields[1], "a binding")
    device = cbor.take_text(fields[2], "the device")
    if not is_name(device):
        raise malformed("the device is not a name")
    from_ms = cbor.take_uint(fields[4], "the start of a binding", TIME_MS_MAX)
    to_ms = cbor.take_uint(fields[5], "the end of a binding", TIME_MS_MAX) if 5 in fields else None
    if to_ms is not None and to_ms <= from_ms:
        raise malformed("a binding that ends before it starts")
    return Binding(
        device=device,
        vehicle=cbor.take_text(fields[3], "the vehicle", SUBJECT_CHARS_MAX),
        from_ms=from_ms,
        to_ms=to_ms,
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
