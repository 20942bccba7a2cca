"""The limit that intake is held against: ES256 verification of the same bytes and nothing else."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from schemas.cose import sign1

Checked = tuple[bytes, list[bytes]]
"""A device's private key as PEM, and statements that it signed."""

_HASH = ec.ECDSA(hashes.SHA256())


def verifications_per_s(checked: Sequence[Checked], processes: int, seconds: float) -> float:
    """Bare verifications per second on so many processes at once, each for ``seconds``."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = [list(checked[n::processes]) for n in range(processes)]
        return sum(pool.map(_rate, parts, [seconds] * processes))


def _rate(checked: list[Checked], seconds: float) -> float:
    prepared = [one for pem, raws in checked for one in _prepare(pem, raws)]
    done, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        for key, signature, message in prepared:
            key.verify(signature, message, _HASH)
        done += len(prepared)
    return done / spent


def _prepare(pem: bytes, raws: list[bytes]) -> list[tuple[ec.EllipticCurvePublicKey, bytes, bytes]]:
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("the bench's devices sign with ES256")
    prepared = []
    for raw in raws:
        statement = sign1.parse(raw)
        r, s = (int.from_bytes(half, "big") for half in _halves(statement.signature))
        message = sign1.to_be_signed(statement.protected, statement.payload)
        prepared.append((private.public_key(), encode_dss_signature(r, s), message))
    return prepared


def _halves(signature: bytes) -> tuple[bytes, bytes]:
    return signature[:32], signature[32:]
