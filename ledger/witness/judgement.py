"""When a witness cosigns: a known log's own checkpoint that extends what it cosigned before.

The order of the checks is tlog-witness's, since each has an answer of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ledger.checkpoint import TreeHead, unverified_head, verify_log_signature
from ledger.merkle import EMPTY_ROOT, ProofRefused, verify_consistency
from ledger.note import NoteRefused, NoteSignature, SignedNote, VKey
from ledger.witness.request import AddCheckpoint


class Cause(Enum):
    """Why a witness does not cosign."""

    MALFORMED = auto()
    UNKNOWN_LOG = auto()
    UNTRUSTED = auto()
    """No key that the witness trusts for this log signed, or one of them did not."""
    OTHER_SIZE = auto()
    """The old size is not the one last cosigned, which the refusal tells."""
    INCONSISTENT = auto()
    """What was shown does not make the checkpoint an extension; anybody can show a wrong proof."""
    FORK = auto()
    """The log has signed another root for the size last cosigned."""


class NotCosigned(Exception):
    """The witness refuses; the text says why."""

    def __init__(self, cause: Cause, detail: str, size: int | None = None) -> None:
        super().__init__(detail)
        self.cause = cause
        self.size = size


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log that a witness is configured with."""

    origin: str
    keys: tuple[VKey, ...]
    """Any of them may sign; of type 0x01, or 0x06 (timestamped ML-DSA-44)."""
    requests_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint that a trusted key of its log signed."""

    head: TreeHead
    signatures: tuple[NoteSignature, ...]
    """The lines of trusted keys alone, one of each."""


def read_submission(note: bytes) -> tuple[TreeHead, SignedNote]:
    """The head that a request is about, before anything is verified; ``NotCosigned``."""
    try:
        return unverified_head(note)
    except NoteRefused as refused:
        raise NotCosigned(Cause.MALFORMED, f"the checkpoint cannot be read: {refused}") from None


def check_signed(head: TreeHead, signed: SignedNote, log: KnownLog) -> Submission:
    """Check the log's signatures; ``NotCosigned``. Lines of keys not trusted are ignored."""
    signatures: list[NoteSignature] = []
    for key in log.keys:
        lines = [
            one for one in signed.signatures if (one.name, one.key_id) == (key.name, key.key_id)
        ]
        if not lines:
            continue
        try:
            verify_log_signature(signed, key)
        except NoteRefused as refused:
            raise NotCosigned(Cause.UNTRUSTED, str(refused)) from None
        signatures.append(lines[-1])
    if not signatures:
        raise NotCosigned(Cause.UNTRUSTED, f"no trusted key of {head.origin} signed the checkpoint")
    return Submission(head, tuple(signatures))


def check_extends(request: AddCheckpoint, head: TreeHead, last: TreeHead | None) -> None:
    """Check that a signed head extends the last one cosigned, ``None`` before the first.

    ``NotCosigned``. To be called with what is last held still until the new head is durable.
    """
    if request.old_size > head.size:
        raise NotCosigned(Cause.MALFORMED, "the old size is larger than the checkpoint's")
    size = 0 if last is None else last.size
    if request.old_size != size:
        raise NotCosigned(Cause.OTHER_SIZE, f"the size last cosigned is {size}", size)
    if last is not None and head.size == last.size and head.root != last.root:
        raise NotCosigned(Cause.FORK, f"another root of {size} leaves was cosigned")
    try:
        _check_proof(request.proof, head, last)
    except ProofRefused as refused:
        raise NotCosigned(Cause.INCONSISTENT, str(refused)) from None


def _check_proof(proof: Sequence[bytes], head: TreeHead, last: TreeHead | None) -> None:
    old = TreeHead(head.origin, 0, EMPTY_ROOT) if last is None else last
    if old.size == 0 and head.size > 0:
        if proof:
            raise ProofRefused("from the empty tree there is nothing to prove")
        return
    verify_consistency(old.size, head.size, proof, old.root, head.root)
