"""``haulproof verify`` without an evidence file: receipts, tlog-proofs, a log with its tiles."""

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
    verify_receipts,
    verify_tiles,
    verify_tlog_proof,
)
from ledger.evidence.leaf_report import LeafReport
from ledger.merkle import ProofRefused
from ledger.note import NoteRefused
from ledger.policy import Policy
from ledger.recheck import BUNDLE_BYTES_MAX, ReadFile
from schemas.errors import StatementRefused
from schemas.limits import STATEMENT_BYTES_MAX

_HASH = re.compile(r"[0-9a-f]{64}")
_TOLD_PERCENT = 5


@dataclass(frozen=True, slots=True)
class About:
    """What the reader gives beside the file: a statement or a leaf hash, and where tiles are."""

    statement: Path | None = None
    leaf: str | None = None
    tiles: Path | None = None


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
            return verify_receipts([_inclusion(data)], _needed(leaf, sort), policy)
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


def _judge_transparent(data: bytes, leaf: Leaf | None, policy: Policy) -> LeafReport:
    if leaf is not None:
        raise CannotVerify("this file holds its statement: leave --statement and --leaf out", 2)
    held = transparent.detach(data)
    receipts = [_inclusion(raw) for raw in held.receipts]
    return verify_receipts(receipts, leaf_of(held.statement), policy, "transparent")


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
        if not place.is_file():
            return None
        return read_bounded(place, "log's", BUNDLE_BYTES_MAX)

    return read


def _inclusion(data: bytes) -> cose_receipt.Receipt:
    read = cose_receipt.parse(data)
    if not isinstance(read.proof, cose_receipt.Inclusion):
        raise CannotVerify(
            "this receipt shows that one tree extends another, and nothing of a leaf: ask the log "
            "for the receipt of a leaf",
            EXIT_UNREADABLE,
        )
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
