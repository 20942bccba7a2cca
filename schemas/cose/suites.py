"""Signature suites behind one table: ES256, Ed25519, ML-DSA-44 and ML-DSA-65.

Algorithm numbers are IANA COSE algorithms; ML-DSA follows RFC 9964 (pure, empty context). ES256
signatures are 64 bytes, r and s of 32 each, and only the one with low s is accepted: of the two
that verify, a record may carry only one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused, malformed

ES256 = -7
EDDSA = -8
ML_DSA_44 = -48
ML_DSA_65 = -49

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_HALF = _P256_ORDER // 2
_HASH = ec.ECDSA(hashes.SHA256())

_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_OKP, _EC2, _AKP = 1, 2, 7


@dataclass(frozen=True, slots=True)
class Suite:
    """One algorithm: its name, sizes in bytes and the five operations on keys and signatures."""

    alg: int
    name: str
    signature_bytes: int
    generate: Callable[[], Any]
    is_public: Callable[[object], bool]
    members: Callable[[Any], dict[int, Any]]
    """The members of a COSE_Key that its RFC 9679 thumbprint covers."""
    load: Callable[[dict[int, Any]], Any]
    """Public key from the decoded COSE_Key; ``ValueError`` when it is none of this suite."""
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]
    """Raises ``InvalidSignature``."""


def suite_of(alg: int) -> Suite:
    """The suite of a COSE algorithm number; ``StatementRefused(unsupported)`` for others."""
    suite = SUITES.get(alg)
    if suite is None:
        raise StatementRefused(Reason.UNSUPPORTED, f"algorithm {alg} is not one that is read here")
    return suite


def suite_of_public_key(key: object) -> Suite:
    """The suite that a ``cryptography`` public key belongs to."""
    for suite in SUITES.values():
        if suite.is_public(key):
            return suite
    raise StatementRefused(Reason.UNSUPPORTED, "a public key of no suite that is read here")


def _es256_members(key: ec.EllipticCurvePublicKey) -> dict[int, Any]:
    numbers = key.public_numbers()
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    return {_KTY: _EC2, _CRV: 1, _X: x, _Y: y}


def _es256_load(members: dict[int, Any]) -> ec.EllipticCurvePublicKey:
    cbor.take_map(members, "an EC2 key", (_KTY, _ALG, _CRV, _X, _Y))
    if members[_KTY] != _EC2 or members[_CRV] != 1:
        raise malformed("not a P-256 key")
    x = cbor.take_bytes(members[_X], "x", 32)
    y = cbor.take_bytes(members[_Y], "y", 32)
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _es256_sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, _HASH))
    return r.to_bytes(32, "big") + min(s, _P256_ORDER - s).to_bytes(32, "big")


def _es256_verify(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < s <= _P256_HALF:
        raise InvalidSignature("s is not the low one")
    key.verify(encode_dss_signature(r, s), message, _HASH)


def _raw_members(kty: int, **fixed: int) -> Callable[[Any], dict[int, Any]]:
    if kty == _OKP:
        return lambda key: {_KTY: kty, _CRV: fixed["crv"], _X: key.public_bytes_raw()}
    return lambda key: {_KTY: kty, _ALG: fixed["alg"], _CRV: key.public_bytes_raw()}


def _ed25519_load(members: dict[int, Any]) -> ed25519.Ed25519PublicKey:
    cbor.take_map(members, "an OKP key", (_KTY, _ALG, _CRV, _X))
    if members[_KTY] != _OKP or members[_CRV] != 6:
        raise malformed("not an Ed25519 key")
    return ed25519.Ed25519PublicKey.from_public_bytes(cbor.take_bytes(members[_X], "x", 32))


def _akp_load(public_key: Any) -> Callable[[dict[int, Any]], Any]:
    def load(members: dict[int, Any]) -> Any:
        # Label -1 is the curve of the older key types and the public key of AKP (RFC 9964).
        cbor.take_map(members, "an AKP key", (_KTY, _ALG, _CRV))
        if members[_KTY] != _AKP:
            raise malformed("not an AKP key")
        return public_key.from_public_bytes(cbor.take_bytes(members[_CRV], "the public key"))

    return load


def _plain_sign(key: Any, message: bytes) -> bytes:
    signature: bytes = key.sign(message)
    return signature


def _plain_verify(key: Any, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)


def _instance_of(kind: type) -> Callable[[object], bool]:
    return lambda key: isinstance(key, kind)


SUITES: dict[int, Suite] = {
    suite.alg: suite
    for suite in (
        Suite(
            alg=ES256,
            name="ES256",
            signature_bytes=64,
            generate=lambda: ec.generate_private_key(ec.SECP256R1()),
            is_public=_is_p256,
            members=_es256_members,
            load=_es256_load,
            sign=_es256_sign,
            verify=_es256_verify,
        ),
        Suite(
            alg=EDDSA,
            name="Ed25519",
            signature_bytes=64,
            generate=ed25519.Ed25519PrivateKey.generate,
            is_public=_instance_of(ed25519.Ed25519PublicKey),
            members=_raw_members(_OKP, crv=6),
            load=_ed25519_load,
            sign=_plain_sign,
            verify=_plain_verify,
        ),
        Suite(
            alg=ML_DSA_44,
            name="ML-DSA-44",
            signature_bytes=2_420,
            generate=mldsa.MLDSA44PrivateKey.generate,
            is_public=_instance_of(mldsa.MLDSA44PublicKey),
            members=_raw_members(_AKP, alg=ML_DSA_44),
            load=_akp_load(mldsa.MLDSA44PublicKey),
            sign=_plain_sign,
            verify=_plain_verify,
        ),
        Suite(
            alg=ML_DSA_65,
            name="ML-DSA-65",
            signature_bytes=3_309,
            generate=mldsa.MLDSA65PrivateKey.generate,
            is_public=_instance_of(mldsa.MLDSA65PublicKey),
            members=_raw_members(_AKP, alg=ML_DSA_65),
            load=_akp_load(mldsa.MLDSA65PublicKey),
            sign=_plain_sign,
            verify=_plain_verify,
        ),
    )
}
