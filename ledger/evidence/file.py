"""The evidence file: statements, one multi-proof and a checkpoint in one deterministic CBOR array.

``docs/evidence.md`` describes it for whoever writes another reader, ``evidence.cddl`` beside this
module fixes its form. Reading here says nothing about truth: ``ledger.evidence.verify`` does.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import cbor2

from ledger.checkpoint import unverified_head
from ledger.evidence.limits import (
    FILE_BYTES_MAX,
    HASHES_MAX,
    STATEMENTS_MAX,
    THRESHOLDS_BYTES_MAX,
)
from ledger.merkle import HASH_BYTES, TREE_SIZE_MAX, GetNode
from ledger.multiproof import multiproof
from ledger.note import NOTE_BYTES_MAX
from schemas.cose import cbor
from schemas.errors import StatementRefused
from schemas.limits import STATEMENT_BYTES_MAX

MAGIC = "hp-evidence"
VERSION = 1

_KIND_MAX = 255
_ITEMS = 9
_CHECKSUM_HEAD = b"\x58\x20"
_CHECKSUM_BYTES = len(_CHECKSUM_HEAD) + 32
_START = bytes([0x80 + _ITEMS]) + cbor2.dumps(MAGIC)


class EvidenceUnreadable(Exception):
    """Bytes that are no evidence file. ``code`` is stable for programs, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Form(IntEnum):
    """How much a file shows."""

    TRIP = 1
    """A signed trip and the exchange's key: no segments, no device names."""
    FULL = 2
    """A trip with every statement that it was derived from, and all keys."""
    SEGMENTS = 3
    """Segments and gaps of one vehicle with their keys: no trip."""


@dataclass(frozen=True, slots=True)
class CommittedStatement:
    """A statement's bytes with its leaf: index in the log and kind."""

    index: int
    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """The content of a file."""

    form: Form
    statements: tuple[CommittedStatement, ...]
    """By ascending index."""
    hashes: tuple[bytes, ...]
    """Multi-proof of all statements (``ledger.multiproof``)."""
    note: bytes
    """The checkpoint that the proof leads to, with whatever cosignatures it has."""
    thresholds: bytes = b""
    """The configuration of the derivation, whose digest the trip holds: full form only."""
    key_status: bytes = b""
    """What the exchange says of the keys (``ledger.evidence.key_status``); empty: nothing."""


def make_evidence(
    form: Form,
    statements: Sequence[CommittedStatement],
    note: bytes,
    get_node: GetNode,
    *,
    thresholds: bytes = b"",
    key_status: bytes = b"",
) -> bytes:
    """The file of these statements under a checkpoint that covers them.

    ``get_node`` gives complete nodes of the checkpoint's tree. ``ValueError`` when a statement is
    not covered or is there twice, when a full file lacks its thresholds, or past a limit.
    """
    if (form is Form.FULL) != bool(thresholds):
        raise ValueError("thresholds belong in the full form, and only there")
    ordered = tuple(sorted(statements, key=lambda statement: statement.index))
    head, _ = unverified_head(note)
    hashes = multiproof(get_node, [statement.index for statement in ordered], head.size)
    data = encode(Evidence(form, ordered, tuple(hashes), note, thresholds, key_status))
    try:
        decode(data)
    except EvidenceUnreadable as error:
        raise ValueError(f"nobody could read this file: {error}") from error
    return data


def encode(evidence: Evidence) -> bytes:
    """The file's bytes."""
    items = [
        [[statement.index, statement.kind, statement.raw] for statement in evidence.statements],
        list(evidence.hashes),
        evidence.note,
        evidence.thresholds,
        evidence.key_status,
    ]
    parts = [VERSION, int(evidence.form), *items]
    body = _START + b"".join(cbor2.dumps(part) for part in parts)
    return body + _CHECKSUM_HEAD + hashlib.sha256(body).digest()


def decode(data: bytes) -> Evidence:
    """Read a file; whatever passes encodes again to the same bytes.

    ``EvidenceUnreadable``: too-large, not-evidence, damaged, malformed, unsupported.
    """
    if len(data) > FILE_BYTES_MAX:
        raise EvidenceUnreadable("too-large", f"the file has more than {FILE_BYTES_MAX} bytes")
    if not data.startswith(_START):
        raise EvidenceUnreadable("not-evidence", "this is not an evidence file")
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _CHECKSUM_HEAD + hashlib.sha256(body).digest():
        raise EvidenceUnreadable("damaged", "the file is damaged: its checksum does not fit")
    try:
        evidence = _read(cbor.take_list(cbor.decode_exact(data), "the file", _ITEMS))
    except StatementRefused as refused:
        raise EvidenceUnreadable("malformed", f"not an evidence file: {refused.detail}") from None
    if encode(evidence) != data:
        raise EvidenceUnreadable("malformed", "not the one encoding of an evidence file")
    return evidence


def _read(items: list[object]) -> Evidence:
    _, version, form, statements, hashes, note, thresholds, key_status, _ = items
    if version != VERSION:
        raise EvidenceUnreadable("unsupported", "the file is of a version that is not read here")
    if type(form) is not int or form not in {known.value for known in Form}:
        raise EvidenceUnreadable("unsupported", "the file is of a form that is not read here")
    return Evidence(
        form=Form(form),
        statements=_read_statements(statements),
        hashes=_read_hashes(hashes),
        note=_take_bounded(note, "the checkpoint", NOTE_BYTES_MAX),
        thresholds=_take_bounded(thresholds, "the thresholds", THRESHOLDS_BYTES_MAX),
        key_status=_take_bounded(key_status, "the key status", STATEMENT_BYTES_MAX),
    )


def _read_statements(value: object) -> tuple[CommittedStatement, ...]:
    items = cbor.take_list(value, "statements")
    if not 0 < len(items) <= STATEMENTS_MAX:
        raise EvidenceUnreadable("too-large", f"the file has not 1 to {STATEMENTS_MAX} statements")
    statements = []
    previous = -1
    for item in items:
        index, kind, raw = cbor.take_list(item, "a statement", 3)
        statement = CommittedStatement(
            cbor.take_uint(index, "an index", TREE_SIZE_MAX),
            cbor.take_uint(kind, "a kind", _KIND_MAX),
            _take_bounded(raw, "a statement", STATEMENT_BYTES_MAX),
        )
        if statement.index <= previous or statement.kind == 0:
            raise EvidenceUnreadable("malformed", "statements are not in the order of the log")
        previous = statement.index
        statements.append(statement)
    return tuple(statements)


def _read_hashes(value: object) -> tuple[bytes, ...]:
    items = cbor.take_list(value, "the proof")
    if len(items) > HASHES_MAX:
        raise EvidenceUnreadable("too-large", f"the proof has more than {HASHES_MAX} hashes")
    return tuple(cbor.take_bytes(item, "a hash", HASH_BYTES) for item in items)


def _take_bounded(value: object, name: str, longest: int) -> bytes:
    data = cbor.take_bytes(value, name)
    if len(data) > longest:
        raise EvidenceUnreadable("too-large", f"{name} has more than {longest} bytes")
    return data
