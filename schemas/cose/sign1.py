"""COSE_Sign1 (RFC 9052 section 4.2) in the one form that a Haulproof statement has.

Tag 18, empty unprotected header, and a protected header of exactly ``1`` alg, ``4`` kid, ``15`` CWT
claims ``{1: issuer, 2: subject, 3: log origin}`` (RFC 9597) and ``16`` type (RFC 9596).
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import cbor2

from schemas.cose import cbor
from schemas.cose.keys import KID_BYTES, PublicKey, Signer
from schemas.cose.suites import SUITES
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import (
    ORIGIN_BYTES_MAX,
    PROTECTED_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    SUBJECT_CHARS_MAX,
)
from schemas.names import parse_issuer

_ALG, _KID, _CLAIMS, _TYPE = 1, 4, 15, 16
_ISSUER, _SUBJECT, _ORIGIN = 1, 2, 3
_SIGN1_TAG = 18
_OPENING = b"\xd2\x84"
"""Tag 18 and the head of an array of 4."""
_EMPTY_MAP = b"\xa0"
_TYPE_CHARS_MAX = 16
_CONTEXT = cbor2.dumps("Signature1")


@dataclass(frozen=True, slots=True)
class Header:
    """The protected header, read."""

    alg: int
    kid: bytes
    issuer: str
    subject: str
    origin: str
    type: str


class Statement(NamedTuple):
    """A statement whose form is right; whether its signature is, ``verify`` says."""

    raw: bytes
    header: Header
    protected: bytes
    payload: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the statement's bytes: its name in leaves, chains and receipts."""
        return hashlib.sha256(self.raw).digest()


def parse(raw: bytes) -> Statement:
    """Read one statement; ``StatementRefused`` (too-large, malformed, unsupported) otherwise."""
    if len(raw) > STATEMENT_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {STATEMENT_BYTES_MAX} bytes")
    if raw[:2] != _OPENING:
        raise malformed("not a tagged COSE_Sign1, an array of 4")
    protected, at = cbor.byte_string(raw, 2)
    if raw[at : at + 1] != _EMPTY_MAP:
        raise malformed("the unprotected header is not empty")
    payload, at = cbor.byte_string(raw, at + 1)
    signature, at = cbor.byte_string(raw, at)
    if at != len(raw):
        raise malformed("bytes follow the COSE_Sign1")
    header = read_header(protected)
    if len(signature) != SUITES[header.alg].signature_bytes:
        raise malformed("the signature is not as long as its algorithm's are")
    return Statement(raw, header, protected, payload, signature)


@lru_cache(maxsize=32_768)
def read_header(protected: bytes) -> Header:
    """Read a protected header. One device's are all the same bytes, hence the cache."""
    if len(protected) > PROTECTED_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, "the protected header is too large")
    labels = cbor.take_map(
        cbor.decode(protected), "the protected header", (_ALG, _KID, _CLAIMS, _TYPE)
    )
    if labels[_ALG] not in SUITES:
        raise StatementRefused(Reason.UNSUPPORTED, "an algorithm that is not read here")
    claims = cbor.take_map(labels[_CLAIMS], "the claims", (_ISSUER, _SUBJECT, _ORIGIN))
    header = Header(
        alg=labels[_ALG],
        kid=cbor.take_bytes(labels[_KID], "kid", KID_BYTES),
        issuer=cbor.take_text(claims[_ISSUER], "the issuer"),
        subject=cbor.take_text(claims[_SUBJECT], "the subject", SUBJECT_CHARS_MAX),
        origin=cbor.take_text(claims[_ORIGIN], "the origin", ORIGIN_BYTES_MAX),
        type=cbor.take_text(labels[_TYPE], "the type", _TYPE_CHARS_MAX),
    )
    parse_issuer(header.issuer)
    return header


def verify(statement: Statement, key: PublicKey) -> None:
    """Check that ``key`` signed the statement; ``StatementRefused`` (wrong-key, bad-signature)."""
    if statement.header.alg != key.alg or statement.header.kid != key.kid:
        raise StatementRefused(Reason.WRONG_KEY, "the header names another key or algorithm")
    key.verify(to_be_signed(statement.protected, statement.payload), statement.signature)


def sign(
    signer: Signer, *, issuer: str, subject: str, origin: str, type_text: str, payload: bytes
) -> bytes:
    """The bytes of a statement; ``StatementRefused`` when a reader would refuse them."""
    protected = cbor.encode(
        {
            _ALG: signer.public.alg,
            _KID: signer.public.kid,
            _CLAIMS: {_ISSUER: issuer, _SUBJECT: subject, _ORIGIN: origin},
            _TYPE: type_text,
        }
    )
    read_header(protected)
    signature = signer.sign(to_be_signed(protected, payload))
    raw = cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [protected, {}, payload, signature]))
    if len(raw) > STATEMENT_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {STATEMENT_BYTES_MAX} bytes")
    return raw


def parts_of(raw: bytes) -> tuple[Any, Any, Any, Any]:
    """Protected header, unprotected header, payload, signature of any tagged COSE_Sign1.

    Deterministic encoding is all that is asked of them: for readers of messages that are no
    statements. ``StatementRefused(malformed)`` otherwise.
    """
    if raw[:1] != _OPENING[:1]:
        raise malformed("not a tagged COSE_Sign1")
    protected, unprotected, payload, signature = cbor.take_list(
        cbor.decode(raw[1:]), "a COSE_Sign1", 4
    )
    return protected, unprotected, payload, signature


def of_parts(protected: object, unprotected: object, payload: object, signature: object) -> bytes:
    """The tagged COSE_Sign1 of these parts, in its deterministic encoding."""
    return cbor.encode(cbor2.CBORTag(_SIGN1_TAG, [protected, unprotected, payload, signature]))


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure ``["Signature1", protected, h'', payload]`` (RFC 9052 section 4.4)."""
    parts = (b"\x84", _CONTEXT, cbor2.dumps(protected), b"\x40", cbor2.dumps(payload))
    return b"".join(parts)
