"""When a log may sign a tree head (DESIGN section 4): never a second history, whatever is lost.

The order around it, always: prove consistent with the fence (here) → sign (here) → compare-and-swap
the fence → history and publish → receipts.
"""

from collections.abc import Callable, Sequence

from ledger.checkpoint import Checkpoint, TreeHead, open_checkpoint, sign_checkpoint
from ledger.merkle import EMPTY_ROOT, ProofRefused, verify_consistency
from ledger.note import NoteRefused, NoteSigner

ProveConsistency = Callable[[int, int], Sequence[bytes]]
"""``prove(size1, size2)``: the tree's own consistency proof (``merkle.consistency_proof``)."""

_RECOVER = (
    "Nothing is signed or acknowledged until the operator refills the missing leaves from a mirror "
    "or exported tiles (agents send records of the last days again), or closes this log and opens "
    "a new origin that names it."
)


class SigningRefused(Exception):
    """Signing might make a second history. The message tells the operator what to do."""


class LogBehindFence(SigningRefused):
    """The tree has fewer leaves than the log has already signed: it was rolled back."""


class ForkedLog(SigningRefused):
    """The tree is not an extension of what the log has already signed."""


class FenceLost(SigningRefused):
    """The log has signed before, and its fence is gone."""


class ForeignFence(SigningRefused):
    """The fence holds no checkpoint of this log's key."""


def prove_and_sign(
    head: TreeHead,
    fence_note: bytes | None,
    prove: ProveConsistency,
    signer: NoteSigner,
    *,
    signed_before: bool,
) -> bytes:
    """The note to publish for ``head``: a new one, or the fence's own when the tree has not grown.

    ``fence_note`` is what the fence holds, ``None`` when it is empty; ``signed_before`` says
    whether the history of the log holds any checkpoint. The proof made by ``prove`` is verified,
    not believed: tree nodes come from a store that may have been rolled back or edited. Raises a
    ``SigningRefused``; whatever ``prove`` raises passes through.
    """
    if fence_note is None:
        if signed_before:
            raise FenceLost(
                "The fence is empty or gone, but this log has signed checkpoints. Put the newest "
                "one, from the history, a witness or a monitor, into the fence, then start again."
            )
        return sign_checkpoint(head, signer)
    fence = _open_fence(fence_note, signer)
    if head.size < fence.head.size:
        raise LogBehindFence(
            f"The tree has {head.size} leaves, but {fence.head.size} have been signed. {_RECOVER}"
        )
    _prove_extends(head, fence.head, prove)
    if head.size == fence.head.size:
        return fence_note
    return sign_checkpoint(head, signer)


def _open_fence(fence_note: bytes, signer: NoteSigner) -> Checkpoint:
    try:
        return open_checkpoint(fence_note, signer.vkey)
    except NoteRefused as refused:
        raise ForeignFence(
            f"The fence holds no checkpoint of this log's key ({refused}). Check that the fence "
            "and the key belong to the same exchange directory."
        ) from refused


def _prove_extends(head: TreeHead, fence: TreeHead, prove: ProveConsistency) -> None:
    if fence.size == 0:
        if fence.root != EMPTY_ROOT or (head.size == 0 and head.root != EMPTY_ROOT):
            raise ForkedLog(f"A root of the empty tree is wrong. {_RECOVER}")
        return
    try:
        proof = prove(fence.size, head.size)
        verify_consistency(fence.size, head.size, proof, fence.root, head.root)
    except ProofRefused as refused:
        raise ForkedLog(
            f"The tree of {head.size} leaves is no extension of the signed one of {fence.size} "
            f"({refused}). {_RECOVER}"
        ) from refused
