"""Public keys and signatures through the ``ecdsa`` package; suites beyond it are named."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import ecdsa
from ecdsa.util import sigdecode_string

from ledger.evidence.independent.canonical import Refused, decoded, encoded

_HALF_ORDER = ecdsa.NIST256p.order // 2
_SUITES = {-7: "ES256", -8: "Ed25519", -48: "ML-DSA-44", -49: "ML-DSA-65"}
_SIGNATURE_BYTES = {-7: 64, -8: 64, -48: 2_420, -49: 3_309}


@dataclass(frozen=True)
class Key:
    """A COSE_Key; ``verifier`` is ``None`` when the suite cannot be checked here."""

    alg: int
    thumbprint: bytes
    verifier: Any

    @property
    def suite(self) -> str:
        """The suite's name."""
        return _SUITES[self.alg]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the key signed the message; also true where that cannot be checked here."""
        if len(signature) != _SIGNATURE_BYTES[self.alg]:
            return False
        if self.verifier is None:
            return True
        if self.alg == -8:
            return ed25519_verifies(self.verifier, message, signature)
        if not 0 < int.from_bytes(signature[32:], "big") <= _HALF_ORDER:
            return False
        try:
            return bool(
                self.verifier.verify(
                    signature, message, hashfunc=sha256, sigdecode=sigdecode_string
                )
            )
        except ecdsa.BadSignatureError:
            return False


def read_key(data: bytes, code: str) -> Key:
    """A key from its COSE_Key bytes (RFC 9052, RFC 9964); ``Refused(code)``."""
    members = decoded(data, code, "a COSE_Key")
    if type(members) is not dict:
        raise Refused(code, "a COSE_Key is a map")
    alg = members.pop(3, None)
    if type(alg) is not int or alg not in _SUITES:
        raise Refused(code, "a key of an unknown suite")
    form = {label: (type(value), value if label == 1 else None) for label, value in members.items()}
    try:
        if alg == -7 and form == {
            1: (int, 2),
            -1: (int, None),
            -2: (bytes, None),
            -3: (bytes, None),
        }:
            return _es256(members)
        if alg == -8 and form == {1: (int, 1), -1: (int, None), -2: (bytes, None)}:
            return _ed25519(members)
        if alg in (-48, -49) and form == {1: (int, 7), -1: (bytes, None)}:
            return Key(alg, sha256(encoded({**members, 3: alg})).digest(), None)
    except (ecdsa.MalformedPointError, ValueError, AssertionError):
        raise Refused(code, "the COSE_Key is not on its curve") from None
    raise Refused(code, "the COSE_Key has other members than its suite")


def ed25519_key(raw: bytes) -> Any:
    """An Ed25519 public key from its 32 bytes."""
    return ecdsa.VerifyingKey.from_string(raw, curve=ecdsa.Ed25519)


def ed25519_verifies(key: Any, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 key signed the message."""
    try:
        return bool(key.verify(signature, message))
    except (ecdsa.BadSignatureError, ecdsa.MalformedPointError, ValueError):
        return False


def _es256(members: dict[int, Any]) -> Key:
    x, y = members[-2], members[-3]
    if members[-1] != 1 or len(x) != 32 or len(y) != 32:
        raise ValueError("not a P-256 key")
    verifier = ecdsa.VerifyingKey.from_string(x + y, curve=ecdsa.NIST256p)
    return Key(-7, sha256(encoded(members)).digest(), verifier)


def _ed25519(members: dict[int, Any]) -> Key:
    if members[-1] != 6 or len(members[-2]) != 32:
        raise ValueError("not an Ed25519 key")
    return Key(-8, sha256(encoded(members)).digest(), ed25519_key(members[-2]))
