"""Acknowledgements: a receipt counts when its proof leads from our own bytes to a signed root."""

from collections.abc import Mapping

from edge_agent.outbox import Held
from ledger.checkpoint import open_checkpoint
from ledger.leaf import statement_leaf_hash
from ledger.merkle import ProofRefused
from ledger.multiproof import verify_multiproof
from ledger.note import NoteRefused, VKey
from schemas.errors import StatementRefused
from schemas.wire import ack as wire
from schemas.wire.ack import Ack


class ReceiptRefused(ValueError):
    """An acknowledgement that proves nothing about what we hold."""


def read_acknowledgement(message: bytes) -> Ack:
    """The parts of an acknowledgement, unverified; ``ReceiptRefused`` when it is none."""
    try:
        return wire.decode(message)
    except StatementRefused as error:
        raise ReceiptRefused(str(error)) from error


def verified_leaves(
    ack: Ack, held: Mapping[tuple[bytes, int], Held], log_key: VKey
) -> dict[int, int]:
    """Leaf indices by outbox id, for every receipt of an acknowledgement.

    The digests are taken from ``held``, our own bytes; ``log_key`` comes from the enrolment.
    ``ReceiptRefused`` when one receipt is of a statement that we do not hold, or the checkpoint or
    the proof does not verify: then none of them counts.
    """
    hashes: list[tuple[int, bytes]] = []
    leaves: dict[int, int] = {}
    for receipt in ack.receipts:
        statement = held.get((receipt.boot, receipt.seq))
        if statement is None:
            raise ReceiptRefused("a receipt is of a statement that is not held here")
        hashes.append((receipt.index, statement_leaf_hash(statement.kind, statement.digest)))
        leaves[statement.id] = receipt.index
    try:
        checkpoint = open_checkpoint(ack.note, log_key)
        verify_multiproof(hashes, checkpoint.head.size, ack.hashes, checkpoint.head.root)
    except (NoteRefused, ProofRefused) as error:
        raise ReceiptRefused(str(error)) from error
    return leaves
