"""C2SP signed notes: a text with signature lines, and the keys that verify them.

Reading is strict: one encoding per note, so that nothing in it can change unnoticed (base64 is
canonical, no line is left over). Signature lines of keys that the reader does not know are allowed
and ignored, as the specification demands.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_ML_DSA_44 = 0x06
PUBLIC_BYTES = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_ML_DSA_44: 1_312}
"""By signature type; keys of other types are kept as they are and verify nothing."""
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 128
KEY_ID_BYTES = 4

_SIGNATURE_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteRefused(ValueError):
    """Bytes that are no signed note, or a note that its key did not sign."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line: key name, 4-byte key id, signature bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note as it was read: nothing in it has been verified."""

    text: bytes
    """The signed bytes, with the final newline."""
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VKey:
    """A verifier key: name, signature type and public key bytes."""

    name: str
    type: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<name>+<key id>+<base64>``; ``NoteRefused`` for anything else."""
        match = _VKEY.fullmatch(text)
        if match is None:
            raise NoteRefused("not a verifier key: <name>+<8 hex digits>+<base64>")
        data = _from_base64(match[3])
        key = cls(match[1], data[0], data[1:])
        if key.key_id.hex() != match[2]:
            raise NoteRefused("the verifier key's id is not that of its bytes")
        wanted = PUBLIC_BYTES.get(key.type, len(key.public))
        if len(key.public) != wanted:
            raise NoteRefused(f"a key of type {key.type:#04x} has {wanted} bytes")
        return key

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of SHA-256 over name, newline, type and public key."""
        message = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return sha256(message).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The key as policy files write it."""
        data = b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{data}"


class NoteSigner(Protocol):
    """A log's private key, used through this alone."""

    @property
    def vkey(self) -> VKey:
        """The key that verifies what this signs."""

    def sign(self, text: bytes) -> bytes:
        """Raw Ed25519 signature (64 bytes) over a note's text."""


class Ed25519NoteSigner:
    """An Ed25519 log key held in memory."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        check_name(name)
        self._private = private_key
        self._vkey = VKey(name, ED25519, private_key.public_key().public_bytes_raw())

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> Self:
        """Read an unencrypted PKCS#8 PEM; ``ValueError`` when it holds no Ed25519 key."""
        try:
            private = load_pem_private_key(pem, password=None)
        except TypeError as error:
            raise ValueError(f"not an unencrypted private key: {error}") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("the log's key is not an Ed25519 key")
        return cls(name, private)

    @property
    def vkey(self) -> VKey:
        """The key that verifies what this signs."""
        return self._vkey

    def sign(self, text: bytes) -> bytes:
        """Raw Ed25519 signature (64 bytes) over a note's text."""
        return self._private.sign(text)


def parse_note(note: bytes) -> SignedNote:
    """Read a note without verifying it; ``NoteRefused`` when it is not in its one form."""
    if len(note) > NOTE_BYTES_MAX:
        raise NoteRefused("the note is too large")
    try:
        decoded = note.decode()
    except UnicodeDecodeError:
        raise NoteRefused("the note is not UTF-8") from None
    text, separator, lines = decoded.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or _CONTROL.search(decoded):
        raise NoteRefused("a note is a text, an empty line, and signature lines")
    signatures = lines[:-1].split("\n")
    if len(signatures) > SIGNATURES_MAX:
        raise NoteRefused("the note has too many signatures")
    signed = SignedNote((text + "\n").encode(), tuple(_read_line(line) for line in signatures))
    if format_note(signed.text, signed.signatures) != note:
        raise NoteRefused("not the one form of a note")
    return signed


def format_note(text: bytes, signatures: Sequence[NoteSignature]) -> bytes:
    """Bytes of a note: the text (which ends in a newline), an empty line, the signature lines."""
    return text + b"\n" + format_lines(signatures)


def format_lines(signatures: Sequence[NoteSignature]) -> bytes:
    """Signature lines as a note and a witness's answer hold them."""
    lines = [
        f"— {item.name} {b64encode(item.key_id + item.signature).decode()}\n" for item in signatures
    ]
    return "".join(lines).encode()


def sign_note(text: bytes, signer: NoteSigner) -> bytes:
    """The note of this text with one signature line."""
    key = signer.vkey
    return format_note(text, [NoteSignature(key.name, key.key_id, signer.sign(text))])


def verify_note(note: SignedNote, key: VKey) -> None:
    """Check that an Ed25519 key (type 0x01) signed the note; ``NoteRefused`` otherwise.

    Every line of that key has to verify, and there has to be one.
    """
    if key.type != ED25519:
        raise NoteRefused(f"signatures of type {key.type:#04x} are not read here")
    lines = [item for item in note.signatures if (item.name, item.key_id) == (key.name, key.key_id)]
    if not lines:
        raise NoteRefused("the note has no signature of that key")
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for line in lines:
        try:
            public.verify(line.signature, note.text)
        except InvalidSignature:
            raise NoteRefused("the signature of that key does not verify") from None


def _read_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise NoteRefused("a signature line is an em dash, a key name and base64")
    check_name(match[1])
    data = _from_base64(match[2])
    if len(data) <= KEY_ID_BYTES:
        raise NoteRefused("a signature line holds no signature")
    return NoteSignature(match[1], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def check_name(name: str) -> None:
    """``NoteRefused`` for what is no key name."""
    if not name or "+" in name or any(char.isspace() for char in name):
        raise NoteRefused("a key name has no spaces and no plus sign")


def _from_base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except Base64Error:
        raise NoteRefused("not base64") from None
    if b64encode(data).decode() != text:
        raise NoteRefused("not the one base64 form of its bytes")
    return data
