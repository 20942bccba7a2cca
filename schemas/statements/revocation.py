"""A revocation (kind 10): the issuer of a grant or device key takes it back.

Issuer: whoever issued what is revoked; subject: the same subject.
"""

from dataclasses import dataclass

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.kinds import Kind
from schemas.limits import DIGEST_BYTES, SALT_BYTES, TIME_MS_MAX

REVOCABLE = (Kind.GRANT, Kind.DEVICE_KEY, Kind.ORG_KEY)


@dataclass(frozen=True, slots=True)
class Revocation:
    """``target_digest`` is the SHA-256 of the statement that no longer holds from ``at_ms`` on."""

    target_kind: Kind
    target_digest: bytes
    at_ms: int
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        target = {2: int(self.target_kind), 3: self.target_digest}
        return cbor.encode({1: 1, **target, 4: self.at_ms, 9: self.salt})


def decode(payload: bytes) -> Revocation:
    """Read a revocation's payload; ``StatementRefused`` when it is none."""
    fields = cbor.take_map(cbor.decode(payload), "a revocation", (1, 2, 3, 4, 9))
    cbor.take_version(fields[1], "a revocation")
    kind = cbor.take_uint(fields[2], "the kind of what is revoked", max(Kind))
    if kind not in REVOCABLE:
        raise malformed("a statement of this kind cannot be revoked")
    return Revocation(
        target_kind=Kind(kind),
        target_digest=cbor.take_bytes(fields[3], "the digest", DIGEST_BYTES),
        at_ms=cbor.take_uint(fields[4], "the time of revocation", TIME_MS_MAX),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
