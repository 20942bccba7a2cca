"""The first limit of intake: ES256 verification of the same bytes, and nothing else."""

import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from haulproof.bench.load.crew import all_ready, run_together
from schemas.cose import sign1

Checked = tuple[bytes, bytes]
"""A device's private key as PEM, and a statement that it signed."""

Prepared = tuple[ec.EllipticCurvePublicKey, bytes, bytes]
"""What one bare verification needs: key, signature in DER, message."""

_HASH = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class _Part:
    checked: list[Checked]
    seconds: float


def verifications_per_s(checked: list[Checked], processes: int, seconds: float) -> float:
    """Bare verifications per second of so many processes at once, for ``seconds``."""
    parts = [_Part(checked[n::processes], seconds) for n in range(processes)]
    return sum(run_together(_rate, parts))


def _rate(part: _Part) -> float:
    prepared = [prepare(pem, raw) for pem, raw in part.checked]
    all_ready()
    done, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < part.seconds:
        verify_once(prepared)
        done += len(prepared)
    return done / spent


def verify_once(prepared: list[Prepared]) -> None:
    """Every signature, and nothing else."""
    for key, signature, message in prepared:
        key.verify(signature, message, _HASH)


def prepare(pem: bytes, raw: bytes) -> Prepared:
    """A statement and its device's private key, taken apart beforehand."""
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("the bench's devices sign with ES256")
    statement = sign1.parse(raw)
    r, s = (int.from_bytes(half, "big") for half in _halves(statement.signature))
    message = sign1.to_be_signed(statement.protected, statement.payload)
    return private.public_key(), encode_dss_signature(r, s), message


def _halves(signature: bytes) -> tuple[bytes, bytes]:
    return signature[:32], signature[32:]
