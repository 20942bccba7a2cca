"""``haulproof verify`` without an evidence file: receipts, tlog-proofs, a log with its tiles."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from haulproof.given import EXIT_UNREADABLE, CannotVerify, Sort, read_bounded
from ledger import receipt as cose_receipt
from ledger import tlog_proof, transparent
from ledger.checkpoint import unverified_head
from ledger.evidence.leaf_proofs import (
    Leaf,
    leaf_of,
    verify_grown,
    verify_receipts,
    verify_tiles,
    verify_tlog_proof,
)
from ledger.evidence.leaf_report import LeafReport
from ledger.merkle import ProofRefused
from ledger.note import NOTE_BYTES_MAX, NoteRefused
from ledger.policy import Policy
from ledger.recheck import BUNDLE_BYTES_MAX, ReadFile
from schemas.errors import StatementRefused
from schemas.limits import STATEMENT_BYTES_MAX

_HASH = re.compile(r"[0-9a-f]{64}")
_TOLD_PERCENT = 5


@dataclass(frozen=True, slots=True)
class About:
    """What the reader gives beside the file."""

    statement: Path | None = None
    leaf: str | None = None
    older: Path | None = None
    """An older checkpoint."""
    tiles: Path | None = None
    """The folder where a checkpoint's tiles are."""


def judge_leaf(
    sort: Sort,
    data: bytes,
    about: About,
    policy: Policy,
    step: Callable[[str], None] = lambda doing: None,
) -> LeafReport:
    """Verify anything that is not evidence; ``CannotVerify`` when it can't be read or is alone."""
    leaf = _leaf(about)
    step("checking proofs and signatures")
    try:
        if sort is Sort.RECEIPT:
            return _judge_receipt(data, leaf, about.older, policy)
        if sort is Sort.TRANSPARENT:
            return _judge_transparent(data, leaf, policy)
        if sort is Sort.TLOG_PROOF:
            proof = tlog_proof.parse_proof(data)
            return verify_tlog_proof(proof, _needed(leaf, sort), policy)
        if sort is Sort.CHECKPOINT:
            return _judge_tiles(data, leaf, about.tiles, policy, step)
    except StatementRefused as refused:
        raise CannotVerify(f"this {sort.value} cannot be read: {refused.detail}", 2) from None
    except (ProofRefused, NoteRefused) as refused:
        raise CannotVerify(f"this {sort.value} cannot be read: {refused}", 2) from None
    raise CannotVerify(
        "a statement alone is in no log: give its receipt or tlog-proof as FILE, and this one with "
        "--statement",
        EXIT_UNREADABLE,
    )


def _judge_receipt(
    data: bytes, leaf: Leaf | None, older: Path | None, policy: Policy
) -> LeafReport:
    read = cose_receipt.parse(data)
    if isinstance(read.proof, cose_receipt.Inclusion):
        return verify_receipts([read], _needed(leaf, Sort.RECEIPT), policy)
    if older is None or leaf is not None:
        raise CannotVerify(
            "this receipt shows that the log grew, and nothing of a leaf: give the older "
            "checkpoint with --older FILE, and no leaf",
            EXIT_UNREADABLE,
        )
    return verify_grown(read, read_bounded(older, "checkpoint", NOTE_BYTES_MAX), policy)


def _judge_transparent(data: bytes, leaf: Leaf | None, policy: Policy) -> LeafReport:
    if leaf is not None:
        raise CannotVerify(
            "this file holds its statement: leave --statement and --leaf out", EXIT_UNREADABLE
        )
    held = transparent.detach(data)
    receipts = [read for raw in held.receipts if (read := _readable(raw)) is not None]
    if not receipts:
        raise CannotVerify(
            "none of the receipts in this statement is of a log with RFC 9162 trees",
            EXIT_UNREADABLE,
        )
    return verify_receipts(receipts, leaf_of(held.statement), policy, "transparent")


def _readable(raw: bytes) -> cose_receipt.Receipt | None:
    """A receipt of a leaf; None for one of another sort, which another log may have given."""
    try:
        read = cose_receipt.parse(raw)
    except StatementRefused:
        return None
    return read if isinstance(read.proof, cose_receipt.Inclusion) else None


def _judge_tiles(
    note: bytes,
    leaf: Leaf | None,
    folder: Path | None,
    policy: Policy,
    step: Callable[[str], None],
) -> LeafReport:
    if folder is None:
        raise CannotVerify(
            "a checkpoint alone says nothing of what is in its log: give the folder of its tiles "
            "with --tiles DIR",
            EXIT_UNREADABLE,
        )
    size = unverified_head(note)[0].size
    told = 0

    def tell(leaves: int) -> None:
        nonlocal told
        percent = leaves * 100 // size
        if percent >= told + _TOLD_PERCENT:
            told = percent - percent % _TOLD_PERCENT
            step(f"checked {told} % of {size} leaves")

    return verify_tiles(note, _files_of(folder), policy, leaf, tell)


def _files_of(folder: Path) -> ReadFile:
    def read(path: str) -> bytes | None:
        place = folder / path
        if not os.path.isfile(place):  # Path.is_file raises where a folder is closed to us
            return None
        return read_bounded(place, "log's", BUNDLE_BYTES_MAX)

    return read


def _leaf(about: About) -> Leaf | None:
    if about.leaf is not None:
        if _HASH.fullmatch(about.leaf) is None:
            raise CannotVerify("--leaf is a leaf hash: 64 hexadecimal digits", EXIT_UNREADABLE)
        return Leaf(bytes.fromhex(about.leaf))
    if about.statement is None:
        return None
    data = read_bounded(about.statement, "statement", STATEMENT_BYTES_MAX)
    try:
        return leaf_of(data)
    except StatementRefused as refused:
        raise CannotVerify(
            f"{about.statement} holds no statement of a log: {refused.detail}", EXIT_UNREADABLE
        ) from None


def _needed(leaf: Leaf | None, sort: Sort) -> Leaf:
    if leaf is None:
        raise CannotVerify(
            f"a {sort.value} does not hold what it is of: give the statement with --statement "
            "FILE, or its leaf hash with --leaf HASH",
            EXIT_UNREADABLE,
        )
    return leaf
