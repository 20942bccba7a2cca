"""What ``haulproof verify`` is given: files, read within limits, and what they hold.

A file's content says what it is, never its name.
"""

from enum import Enum
from pathlib import Path

from ledger.note import NoteRefused, parse_note
from ledger.tlog_proof import FIRST_LINE
from schemas.cose import cbor
from schemas.errors import StatementRefused

EXIT_VERIFIED, EXIT_NOT_VERIFIED, EXIT_UNREADABLE, EXIT_ENVIRONMENT = 0, 1, 2, 3

_SIGN1 = b"\xd2\x84"
_NO_LABELS = b"\xa0"
_VDP_ALONE = b"\xa1\x19\x01\x8c"
_RECEIPTS_ALONE = b"\xa1\x19\x01\x8a"
"""Heads of unprotected headers: empty, label 396 alone, label 394 alone."""


class CannotVerify(Exception):
    """Something stands in the way; the text is one sentence, ``code`` the exit code."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class Sort(Enum):
    """What a file is."""

    EVIDENCE = "evidence"
    STATEMENT = "statement"
    TRANSPARENT = "transparent statement"
    RECEIPT = "receipt"
    TLOG_PROOF = "tlog-proof"
    CHECKPOINT = "checkpoint"


def sort_of(data: bytes) -> Sort:
    """What the bytes are; evidence when they are nothing else, whose reader says what is wrong."""
    if data.startswith(_SIGN1):
        return _sort_of_sign1(data)
    if data.startswith(FIRST_LINE):
        return Sort.TLOG_PROOF
    try:
        parse_note(data)
    except NoteRefused:
        return Sort.EVIDENCE
    return Sort.CHECKPOINT


def read_bounded(path: Path, what: str, bytes_max: int) -> bytes:
    """At most a byte more than the largest: whoever parses it refuses that."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise CannotVerify(
            f"the {what} file {path} cannot be read: {reason}", EXIT_UNREADABLE
        ) from None


def _sort_of_sign1(data: bytes) -> Sort:
    try:
        _, at = cbor.byte_string(data, len(_SIGN1))
    except StatementRefused as refused:
        raise CannotVerify(
            f"this is no whole COSE_Sign1: {refused.detail}", EXIT_UNREADABLE
        ) from None
    for head, sort in (
        (_NO_LABELS, Sort.STATEMENT),
        (_VDP_ALONE, Sort.RECEIPT),
        (_RECEIPTS_ALONE, Sort.TRANSPARENT),
    ):
        if data.startswith(head, at):
            return sort
    raise CannotVerify(
        "this COSE_Sign1 is neither a statement nor a receipt nor a statement with receipts: its "
        "unprotected header holds something else",
        EXIT_UNREADABLE,
    )
