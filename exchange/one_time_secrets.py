"""Secrets that the exchange hands out once, and seals where an answer has to be repeated."""

import hashlib
import hmac
import os
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 32
_NONCE_BYTES = 12


def new_secret() -> str:
    """256 random bits as base64url: nothing to guess, so SHA-256 is enough to keep them by."""
    return secrets.token_urlsafe(SECRET_BYTES)


def secret_hash(secret: str) -> bytes:
    """SHA-256 (32 bytes) of a secret made by ``new_secret``."""
    return hashlib.sha256(secret.encode()).digest()


def secret_matches(secret: str, expected: bytes) -> bool:
    """Whether this is the secret, in constant time."""
    return hmac.compare_digest(secret_hash(secret), expected)


class AnswerSeal:
    """Seals stored answers with AES-256-GCM, so that the database alone reveals no secret."""

    def __init__(self, key_material: bytes) -> None:
        derive = HKDF(SHA256(), 32, salt=None, info=b"haulproof idempotent answers")
        self._cipher = AESGCM(derive.derive(key_material))

    def seal(self, answer: bytes, context: bytes) -> bytes:
        """The sealed answer; it opens under the same context only."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, answer, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The answer; ``cryptography.exceptions.InvalidTag`` when it was changed."""
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
