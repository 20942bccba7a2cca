"""One leaf by a receipt or a tlog-proof, a log by its tiles or its growth: by a reader's policy.

What these prove is less than an evidence file does: that the log holds a leaf. Whose key signed the
statement behind it is not among them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger import receipt as cose_receipt
from ledger.checkpoint import TreeHead
from ledger.evidence.leaf_report import LeafReport, Place
from ledger.evidence.reasons import Code, Findings
from ledger.evidence.verify import check_checkpoint
from ledger.leaf import statement_leaf_hash
from ledger.merkle import ProofRefused, verify_inclusion
from ledger.note import VKey
from ledger.policy import Policy
from ledger.receipt import Claims, Consistency, Inclusion, Receipt
from ledger.recheck import LogFileMissing, LogFileWrong, ReadFile, SawLeaves, recheck
from ledger.tlog_proof import TlogProof
from schemas.cose import sign1
from schemas.cose.sign1 import Statement
from schemas.errors import StatementRefused
from schemas.kinds import kind_of_type


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a proof is asked about: a leaf hash, and the statement that it is of, when at hand."""

    hash: bytes
    statement: Statement | None = None


def leaf_of(statement: bytes) -> Leaf:
    """The leaf of a statement's bytes; ``StatementRefused`` when no log record has them."""
    read = sign1.parse(statement)
    return Leaf(statement_leaf_hash(kind_of_type(read.header.type), read.digest), read)


def verify_receipts(
    receipts: Sequence[Receipt], leaf: Leaf, policy: Policy, kind: str = "receipt"
) -> LeafReport:
    """Judge the receipts of one leaf: one that a trusted log signed is enough.

    What stands against the others is told only when none does.
    """
    reports = [_verify_receipt(receipt, leaf, policy, kind) for receipt in receipts]
    return next((report for report in reports if report.verified), reports[0])


def verify_grown(receipt: Receipt, older: bytes, policy: Policy) -> LeafReport:
    """Judge a consistency receipt, from the tree of an older checkpoint (a signed note) on."""
    findings = Findings()
    begun, _ = check_checkpoint(older, policy, findings)
    _check_quorum(policy, findings)
    head = None
    claims = _claims(receipt, findings)
    if begun is not None and claims is not None:
        if begun.origin != claims.origin:
            findings.add(Code.WRONG_ORIGIN, f"the older checkpoint is of the log {begun.origin!r}")
        if not isinstance(receipt.proof, Consistency) or receipt.proof.older != begun.size:
            findings.add(
                Code.BAD_RECEIPT,
                f"the receipt does not begin with the {begun.size} leaves of the older checkpoint",
            )
        root = begun.root
        head = _signed_head(
            claims,
            policy,
            lambda key: cose_receipt.verify_consistency_receipt(receipt, key, root),
            findings,
        )
    return LeafReport(
        kind="consistency",
        place=None,
        log_size=head.size if head else 0,
        log_origin=head.origin if head else "",
        witnesses=(),
        findings=findings.all(),
        older=begun.size if begun else None,
    )


def verify_tlog_proof(proof: TlogProof, leaf: Leaf, policy: Policy) -> LeafReport:
    """Judge a tlog-proof of one leaf."""
    findings = Findings()
    head, witnesses = check_checkpoint(proof.note, policy, findings)
    if head is not None:
        _check_origin(leaf, head.origin, findings)
        try:
            verify_inclusion(leaf.hash, proof.index, head.size, proof.path, head.root)
        except ProofRefused as refused:
            findings.add(Code.NOT_IN_LOG, f"the leaf is not in the checkpoint's tree: {refused}")
    return _report("tlog-proof", leaf, head, proof.index, findings, witnesses)


def verify_tiles(
    note: bytes,
    read: ReadFile,
    policy: Policy,
    leaf: Leaf | None = None,
    told: Callable[[int], None] = lambda leaves: None,
) -> LeafReport:
    """Judge a checkpoint with all of its entries and tiles; with a leaf, find it among them.

    ``told`` hears how many leaves have been checked. What ``read`` raises passes through.
    """
    findings = Findings()
    head, witnesses = check_checkpoint(note, policy, findings)
    found: list[int] = []

    def saw(first: int, hashes: list[bytes]) -> None:
        if leaf is not None and leaf.hash in hashes:
            found.append(first + hashes.index(leaf.hash))
        told(first + len(hashes))

    files = None if head is None else _recheck(read, head, saw, findings)
    if leaf is not None and head is not None:
        _check_origin(leaf, head.origin, findings)
        if files is not None and not found:
            findings.add(Code.NOT_IN_LOG, "no entry of the log is this leaf")
    index = found[0] if found else None
    return _report("tiles", leaf, head, index, findings, witnesses, files or 0)


def _recheck(read: ReadFile, head: TreeHead, saw: SawLeaves, findings: Findings) -> int | None:
    """How many files were read; None when the log is not whole."""
    try:
        return recheck(read, head, saw)
    except LogFileMissing as missing:
        findings.add(Code.MISSING_TILE, str(missing))
    except LogFileWrong as wrong:
        findings.add(Code.WRONG_TILE, str(wrong))
    return None


def _verify_receipt(receipt: Receipt, leaf: Leaf, policy: Policy, kind: str) -> LeafReport:
    findings = Findings()
    head = None
    claims = _claims(receipt, findings)
    if claims is not None:
        head = _signed_head(
            claims,
            policy,
            lambda key: cose_receipt.verify_inclusion_receipt(receipt, key, leaf.hash),
            findings,
        )
        _check_origin(leaf, claims.origin, findings)
    _check_quorum(policy, findings)
    index = receipt.proof.index if isinstance(receipt.proof, Inclusion) else None
    return _report(kind, leaf, head, index, findings, ())


def _check_quorum(policy: Policy, findings: Findings) -> None:
    if not policy.quorum_met(()):
        findings.add(
            Code.QUORUM_NOT_MET,
            "a receipt carries no cosignatures, and your policy asks for those of "
            f"{policy.quorum!r}: take the log's checkpoint instead, in a tlog-proof for a leaf",
        )


def _claims(receipt: Receipt, findings: Findings) -> Claims | None:
    try:
        return cose_receipt.claims_of(receipt)
    except StatementRefused as refused:
        findings.add(Code.BAD_RECEIPT, f"no receipt of a log of Haulproof: {refused.detail}")
        return None


def _signed_head(
    claims: Claims,
    policy: Policy,
    verify: Callable[[VKey], TreeHead],
    findings: Findings,
) -> TreeHead | None:
    """The tree that a trusted log key has signed; None, and a finding, when none has."""
    named = f"{claims.origin} with the key {claims.kid.hex()}"
    if not policy.logs:
        findings.add(
            Code.NO_TRUSTED_LOG_KEY, f"you trust no log key; the receipt names the log {named}"
        )
        return None
    trusted = [key for key in policy.logs if cose_receipt.names_key(claims, key)]
    if not trusted:
        findings.add(
            Code.WRONG_LOG_KEY, f"the receipt is of the log {named}, which you do not trust"
        )
        return None
    try:
        return verify(trusted[0])
    except (ProofRefused, StatementRefused) as refused:
        detail = refused.detail if isinstance(refused, StatementRefused) else str(refused)
        findings.add(Code.BAD_RECEIPT, f"the log did not sign what the receipt leads to: {detail}")
        return None


def _check_origin(leaf: Leaf, origin: str, findings: Findings) -> None:
    if leaf.statement is not None and leaf.statement.header.origin != origin:
        findings.add(
            Code.WRONG_ORIGIN,
            f"the statement was made for the log {leaf.statement.header.origin!r}",
        )


def _report(
    kind: str,
    leaf: Leaf | None,
    head: TreeHead | None,
    index: int | None,
    findings: Findings,
    witnesses: tuple[str, ...],
    files: int = 0,
) -> LeafReport:
    return LeafReport(
        kind=kind,
        place=None if leaf is None else Place(leaf.hash, index, leaf.statement),
        log_size=head.size if head else 0,
        log_origin=head.origin if head else "",
        witnesses=witnesses,
        findings=findings.all(),
        files=files,
    )
