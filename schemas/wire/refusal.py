"""The payload of a refusal: which bytes the exchange did not take, why, and whether for ever.

It travels as a COSE_Sign1 of type ``hp-ref`` by the exchange's organisation key; subject: the
device's issuer text. The agent acts only on a digest that it holds.
"""

from dataclasses import dataclass

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import BOOT_BYTES, DIGEST_BYTES, SEQ_MAX


@dataclass(frozen=True, slots=True)
class Refusal:
    """``digest`` is the SHA-256 of the MQTT payload; boot and seq are None when unreadable."""

    boot: bytes | None
    seq: int | None
    digest: bytes
    cause: str
    permanent: bool

    def encode(self) -> bytes:
        """The payload's bytes: ``[boot, seq, digest, cause, permanent]``."""
        return cbor.encode([self.boot, self.seq, self.digest, self.cause, self.permanent])


def decode(payload: bytes) -> Refusal:
    """Read a refusal's payload; ``StatementRefused`` when it is none."""
    boot, seq, digest, cause, permanent = cbor.take_list(cbor.decode(payload), "a refusal", 5)
    if type(permanent) is not bool:
        raise malformed("permanent is not a boolean")
    if (boot is None) != (seq is None):
        raise malformed("boot and seq are not both null")
    return Refusal(
        boot=None if boot is None else cbor.take_bytes(boot, "boot", BOOT_BYTES),
        seq=None if seq is None else cbor.take_uint(seq, "seq", SEQ_MAX),
        digest=cbor.take_bytes(digest, "the digest", DIGEST_BYTES),
        cause=cbor.take_text(cause, "the cause", 64),
        permanent=permanent,
    )
