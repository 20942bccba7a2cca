"""COSE keys (RFC 9052 section 7, RFC 9964 for ML-DSA), their thumbprints and the signing port."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from schemas.cose import cbor
from schemas.cose.suites import ES256, Suite, suite_of, suite_of_public_key
from schemas.errors import Reason, StatementRefused, malformed

KID_BYTES = 8


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as records hold it: ``cose_key`` is the deterministic COSE_Key with its alg."""

    alg: int
    cose_key: bytes
    thumbprint: bytes
    """SHA-256 over the required members (RFC 9679), 32 bytes: this is the key's identity."""
    _key: Any = field(repr=False, compare=False)
    _suite: Suite = field(repr=False, compare=False)

    @classmethod
    def from_cose_key(cls, cose_key: bytes) -> Self:
        """Read a COSE_Key; ``StatementRefused`` when malformed or of an unknown suite."""
        members = cbor.decode(cose_key)
        if type(members) is not dict or type(members.get(3)) is not int:
            raise malformed("a COSE_Key is a map with its algorithm")
        suite = suite_of(members[3])
        try:
            key = suite.load(members)
        except StatementRefused:
            raise
        except (ValueError, UnsupportedAlgorithm):
            raise malformed("the COSE_Key holds no valid public key") from None
        read = cls._of(suite, key)
        if read.cose_key != cose_key:
            raise malformed("the COSE_Key is not the one encoding of its key")
        return read

    @classmethod
    def of(cls, key: object) -> Self:
        """Wrap a public key of ``cryptography``."""
        return cls._of(suite_of_public_key(key), key)

    @classmethod
    def _of(cls, suite: Suite, key: Any) -> Self:
        members = suite.members(key)
        thumbprint = hashlib.sha256(cbor.encode(members)).digest()
        return cls(suite.alg, cbor.encode({**members, 3: suite.alg}), thumbprint, key, suite)

    @property
    def kid(self) -> bytes:
        """The 8-byte hint by which a statement names the key among its issuer's keys."""
        return self.thumbprint[:KID_BYTES]

    @property
    def suite_name(self) -> str:
        """The suite's name for people, for example ``ES256``."""
        return self._suite.name

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature over a message; ``StatementRefused(bad-signature)`` when it fails."""
        if len(signature) != self._suite.signature_bytes:
            raise StatementRefused(Reason.BAD_SIGNATURE, "the signature has another length")
        try:
            self._suite.verify(self._key, signature, message)
        except InvalidSignature:
            raise StatementRefused(Reason.BAD_SIGNATURE, "the signature does not verify") from None


class Signer(Protocol):
    """The one way in which private keys are used: software here, PKCS#11 elsewhere."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""

    def sign(self, message: bytes) -> bytes:
        """The suite's raw signature over the message."""


class SoftwareSigner:
    """A private key held in memory by ``cryptography``."""

    def __init__(self, private_key: Any) -> None:
        self._private = private_key
        self._public = PublicKey.of(private_key.public_key())
        self._suite = suite_of(self._public.alg)

    @classmethod
    def generate(cls, alg: int = ES256) -> Self:
        """A fresh key of the suite."""
        return cls(suite_of(alg).generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read an unencrypted PKCS#8 PEM; ``ValueError`` when it holds no usable private key."""
        try:
            return cls(serialization.load_pem_private_key(pem, password=None))
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(f"not an unencrypted private key: {error}") from None

    def to_pem(self) -> bytes:
        """The key as PKCS#8 PEM, unencrypted: write it with mode 0600 only."""
        pem: bytes = self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """The suite's raw signature over the message."""
        return self._suite.sign(self._private, message)
