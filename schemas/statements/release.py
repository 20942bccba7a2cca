"""A release (kind 18, a declaration): a carrier stands by what a revoked key of its device signed.

Issuer: the carrier; subject: the device. It names statements by digest: whoever else holds the
revoked key can add nothing to it.
"""

from dataclasses import dataclass

from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import DIGEST_BYTES, RELEASE_DIGESTS_MAX, SALT_BYTES, TIME_MS_MAX

RELEASE = 1
"""What is declared (key 2). Other declarations of a carrier have other numbers."""


@dataclass(frozen=True, slots=True)
class Release:
    """``digests`` are SHA-256 of the released statements, ascending, each once."""

    at_ms: int
    digests: tuple[bytes, ...]
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        return cbor.encode({1: 1, 2: RELEASE, 3: self.at_ms, 4: list(self.digests), 9: self.salt})


def decode(payload: bytes) -> Release:
    """Read a release's payload; ``StatementRefused`` when it is none."""
    fields = cbor.take_map(cbor.decode(payload), "a release", (1, 2, 3, 4, 9))
    cbor.take_version(fields[1], "a release")
    if cbor.take_uint(fields[2], "what is declared") != RELEASE:
        raise StatementRefused(Reason.UNSUPPORTED, "a declaration of something else")
    items = cbor.take_list(fields[4], "the released statements")
    if not 0 < len(items) <= RELEASE_DIGESTS_MAX:
        raise malformed(f"not 1 to {RELEASE_DIGESTS_MAX} released statements")
    digests = tuple(cbor.take_bytes(item, "a digest", DIGEST_BYTES) for item in items)
    if list(digests) != sorted(set(digests)):
        raise malformed("released statements are not in ascending order, each once")
    return Release(
        at_ms=cbor.take_uint(fields[3], "the time of a release", TIME_MS_MAX),
        digests=digests,
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
