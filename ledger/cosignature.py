"""C2SP tlog-cosignature: a timestamped signature of a checkpoint, by a witness or the log itself.

Two forms. Ed25519 (0x04) signs ``cosignature/v1``, the time and the whole text; ML-DSA-44 (0x06)
signs a binary message that also binds the cosigner's name, with an empty context (FIPS 204 pure).
The signature in a note's line is the time (8 bytes, big-endian, POSIX s) and the raw signature.
The log's own ML-DSA-44 signature has the second form, with the origin as the cosigner's name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    NoteRefused,
    NoteSignature,
    NoteSigner,
    SignedNote,
    VKey,
    check_name,
)
from ledger.tree_head import TreeHead, parse_head

TIME_S_MAX = 2**63 - 1
NAME_BYTES_MAX = 255
"""Of cosigner and origin, in the ML-DSA-44 form."""

_TIME_BYTES = 8
_LABEL = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class _Form:
    signature_bytes: int
    message: Callable[[str, TreeHead, int], bytes]
    """Cosigner's name, tree head and time to the signed bytes."""
    verify: Callable[[bytes, bytes, bytes], None]
    """Public key, signature and message; ``InvalidSignature``."""


class Ed25519Cosigner:
    """A witness's Ed25519 key held in memory; never one that signs anything else."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        check_name(name)
        self._private = private_key
        public = private_key.public_key().public_bytes_raw()
        self._vkey = VKey(name, COSIGNATURE_ED25519, public)

    @property
    def vkey(self) -> VKey:
        """The key that verifies what this signs."""
        return self._vkey

    def sign(self, text: bytes) -> bytes:
        """Raw signature (64 bytes)."""
        return self._private.sign(text)


class MLDSA44Cosigner:
    """An ML-DSA-44 key held in memory, of a witness or, named like the origin, of a log."""

    def __init__(self, name: str, private_key: MLDSA44PrivateKey) -> None:
        check_name(name)
        self._private = private_key
        public = private_key.public_key().public_bytes_raw()
        self._vkey = VKey(name, COSIGNATURE_ML_DSA_44, public)

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> Self:
        """Read an unencrypted PKCS#8 PEM; ``ValueError`` when it holds no ML-DSA-44 key."""
        try:
            private = load_pem_private_key(pem, password=None)
        except TypeError as error:
            raise ValueError(f"not an unencrypted private key: {error}") from None
        if not isinstance(private, MLDSA44PrivateKey):
            raise ValueError("the key is not an ML-DSA-44 key")
        return cls(name, private)

    @property
    def vkey(self) -> VKey:
        """The key that verifies what this signs."""
        return self._vkey

    def sign(self, text: bytes) -> bytes:
        """Raw signature (2,420 bytes)."""
        return self._private.sign(text)


def cosign(head: TreeHead, signer: NoteSigner, time_s: int) -> NoteSignature:
    """The line by which ``signer`` says that it saw this head at ``time_s`` (POSIX).

    Whether it may say so (``tlog-witness``: a consistent tree, newer than the last) is for the
    caller to know. ``ValueError`` for a key or a name that has no form of cosignature.
    """
    key = signer.vkey
    form = _FORMS.get(key.type)
    if form is None:
        raise ValueError(f"keys of type {key.type:#04x} do not cosign")
    time = _time_bytes(time_s)
    signature = signer.sign(form.message(key.name, head, time_s))
    return NoteSignature(key.name, key.key_id, time + signature)


def verify_cosignature(note: SignedNote, key: VKey) -> int:
    """Check that ``key`` cosigned the checkpoint; the newest time (POSIX s) at which it did.

    Every line of that key has to verify, and there has to be one; ``NoteRefused`` otherwise.
    """
    form = _FORMS.get(key.type)
    if form is None:
        raise NoteRefused(f"cosignatures of type {key.type:#04x} are not read here")
    head = parse_head(note.text)
    times = [
        _verified_time(line.signature, key, head, form)
        for line in note.signatures
        if (line.name, line.key_id) == (key.name, key.key_id)
    ]
    if not times:
        raise NoteRefused("the note has no cosignature of that key")
    return max(times)


def _verified_time(signature: bytes, key: VKey, head: TreeHead, form: _Form) -> int:
    if len(signature) != _TIME_BYTES + form.signature_bytes:
        raise NoteRefused("a cosignature is not as long as those of its type are")
    time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
    if time_s > TIME_S_MAX:
        raise NoteRefused("a cosignature's time is out of range")
    try:
        form.verify(key.public, signature[_TIME_BYTES:], form.message(key.name, head, time_s))
    except (InvalidSignature, ValueError):
        raise NoteRefused("the cosignature of that key does not verify") from None
    return time_s


def _time_bytes(time_s: int) -> bytes:
    if not 0 <= time_s <= TIME_S_MAX:
        raise ValueError("a time is 0 to 2^63 - 1 seconds")
    return time_s.to_bytes(_TIME_BYTES, "big")


def _ed25519_message(_name: str, head: TreeHead, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n".encode() + head.text


def _ml_dsa_message(name: str, head: TreeHead, time_s: int) -> bytes:
    """``cosigned_message`` of the subtree from 0 to the tree's size (TLS presentation)."""
    return b"".join(
        (
            _LABEL,
            _short(name),
            _time_bytes(time_s),
            _short(head.origin),
            bytes(8),
            head.size.to_bytes(8, "big"),
            head.root,
        )
    )


def _short(text: str) -> bytes:
    data = text.encode()
    if not 0 < len(data) <= NAME_BYTES_MAX:
        raise ValueError(f"a name of an ML-DSA-44 cosignature has 1 to {NAME_BYTES_MAX} bytes")
    return bytes([len(data)]) + data


def _ed25519_verify(public: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def _ml_dsa_verify(public: bytes, signature: bytes, message: bytes) -> None:
    MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)


_FORMS: dict[int, _Form] = {
    COSIGNATURE_ED25519: _Form(64, _ed25519_message, _ed25519_verify),
    COSIGNATURE_ML_DSA_44: _Form(2_420, _ml_dsa_message, _ml_dsa_verify),
}

COSIGNATURE_TYPES = frozenset(_FORMS)
"""Signature types of keys that cosign."""
