"""Offline verification of an evidence file by the reader's own policy."""

from collections.abc import Sequence
from hashlib import sha256

from ledger.checkpoint import (
    LOG_KEY_TYPES,
    TreeHead,
    unverified_head,
    verify_log_signature,
)
from ledger.evidence.bindings import check_bindings
from ledger.evidence.file import CommittedStatement, Evidence, decode
from ledger.evidence.forms import check_form
from ledger.evidence.key_status import read_key_status
from ledger.evidence.quorum import check_quorum
from ledger.evidence.reasons import Code, Findings
from ledger.evidence.report import Report
from ledger.evidence.signatures import ReadStatement, SignatureCheck
from ledger.leaf import statement_leaf_hashes
from ledger.merkle import ProofRefused
from ledger.multiproof import verify_multiproof
from ledger.note import NoteRefused, SignedNote
from ledger.policy import Policy
from schemas.cose import sign1
from schemas.errors import StatementRefused
from schemas.kinds import TYPE_TEXT, Kind

_TYPE_OF = {int(kind): text for kind, text in TYPE_TEXT.items()}


def verify_evidence(data: bytes, policy: Policy) -> Report:
    """Judge a file; every step runs whatever the others find, so that all causes are named.

    0. The file is the one encoding of its content, and undamaged (``EvidenceUnreadable`` if not).
    1. Its checkpoint is signed by a log key of the policy, never of the file.
    2. The policy's quorum of witnesses has cosigned it, in either form of cosignature.
    3. Every statement has its one form, the type of its kind, and the checkpoint's origin.
    4. One multi-proof leads from the leaves of all statements to the checkpoint's root.
    5. Every key is a statement signed by whom it should be, with proof of possession, and is among
       the keys that the policy pins, if it pins any of that organisation.
    6. Every other statement is signed by a key of its issuer.
    7. Each device was bound to its vehicle at the time.
    8. The file holds what its form says, and nothing else; a full one holds exactly what its trip
       was derived from.
    9. What the exchange says of the keys' revocation is signed and about these keys.
    """
    evidence = decode(data)  # 0
    findings = Findings()
    head, witnesses = check_checkpoint(evidence.note, policy, findings)  # 1, 2
    origin = head.origin if head else ""
    read = _read_statements(evidence.statements, origin, findings)  # 3
    if head:
        _check_inclusion(evidence, head, findings)  # 4
    check = SignatureCheck(origin, policy, findings)
    for one in read:
        check.take(one)  # 5, 6
    check_bindings(check.signed, findings)  # 7
    check_form(evidence, read, check.signed, findings)  # 8
    status_size = _check_key_status(evidence, head, check, findings)  # 9
    return Report(
        form=evidence.form,
        statements=len(evidence.statements),
        log_size=head.size if head else 0,
        log_origin=origin,
        signers=tuple(sorted(check.signed.signers.items())),
        witnesses=witnesses,
        findings=findings.all(),
        key_status_size=status_size,
        signed=check.signed,
    )


def check_checkpoint(
    note: bytes, policy: Policy, findings: Findings
) -> tuple[TreeHead | None, tuple[str, ...]]:
    """The head that a note claims, and its witnesses by name, both held against the policy.

    No head: the note is none, and nothing more can be said of it.
    """
    # 1. The checkpoint and its log key.
    try:
        head, signed = unverified_head(note)
    except NoteRefused as refused:
        findings.add(Code.BAD_CHECKPOINT, f"the file holds no checkpoint: {refused}")
        return None, ()
    _check_log_key(head, signed, policy, findings)
    # 2. The quorum.
    return head, check_quorum(signed, policy, findings)


def _check_log_key(head: TreeHead, signed: SignedNote, policy: Policy, findings: Findings) -> None:
    lines = {(line.name, line.key_id) for line in signed.signatures}
    found = ", ".join(f"{name}+{key_id.hex()}" for name, key_id in sorted(lines))
    if not policy.logs:
        findings.add(
            Code.NO_TRUSTED_LOG_KEY,
            f"you trust no log key; the file's checkpoint of {head.origin} names {found}",
        )
        return
    trusted = [
        key
        for key in policy.logs
        if key.name == head.origin and key.type in LOG_KEY_TYPES and (key.name, key.key_id) in lines
    ]
    if not trusted:
        findings.add(
            Code.WRONG_LOG_KEY,
            f"the checkpoint of {head.origin} is signed by {found}, which you do not trust",
        )
    for key in trusted:
        try:
            verify_log_signature(signed, key)
        except NoteRefused as refused:
            findings.add(Code.BAD_CHECKPOINT_SIGNATURE, str(refused))


def _read_statements(
    committed: Sequence[CommittedStatement], origin: str, findings: Findings
) -> list[ReadStatement]:
    # 3. Form, type and origin.
    read = []
    for one in committed:
        try:
            statement = sign1.parse(one.raw)
        except StatementRefused as refused:
            findings.add(Code.MALFORMED_STATEMENT, f"statement {one.index}: {refused.detail}")
            continue
        header = statement.header
        if _TYPE_OF.get(one.kind) != header.type:
            findings.add(
                Code.TYPE_MISMATCH,
                f"statement {one.index} is filed as kind {one.kind} and says {header.type!r}",
            )
            continue
        if header.origin != origin:
            findings.add(
                Code.WRONG_ORIGIN, f"statement {one.index} was made for the log {header.origin!r}"
            )
            continue
        read.append(ReadStatement(one.index, Kind(one.kind), statement, statement.digest))
    return read


def _check_inclusion(evidence: Evidence, head: TreeHead, findings: Findings) -> None:
    # 4. The multi-proof. It is over every statement of the file, readable or not.
    hashes = statement_leaf_hashes(
        (one.kind, sha256(one.raw).digest()) for one in evidence.statements
    )
    leaves = zip((one.index for one in evidence.statements), hashes, strict=True)
    try:
        verify_multiproof(leaves, head.size, evidence.hashes, head.root)
    except ProofRefused as refused:
        findings.add(Code.NOT_IN_LOG, f"the statements are not in the checkpoint's tree: {refused}")


def _check_key_status(
    evidence: Evidence, head: TreeHead | None, check: SignatureCheck, findings: Findings
) -> int | None:
    # 9. The key status, where the exchange made one.
    if not evidence.key_status or head is None:
        return None
    try:
        statement = sign1.parse(evidence.key_status)
        status = read_key_status(statement)
    except StatementRefused as refused:
        findings.add(Code.BAD_KEY_STATUS, f"the key status is none: {refused.detail}")
        return None
    if not check.verify_by_operator(statement) or statement.header.origin != head.origin:
        findings.add(Code.BAD_KEY_STATUS, "the exchange did not sign the key status for this log")
    elif status.keys != tuple(check.signed.key_digests) or status.tree_size < head.size:
        findings.add(Code.BAD_KEY_STATUS, "the key status is about other keys or an older tree")
    return status.tree_size
