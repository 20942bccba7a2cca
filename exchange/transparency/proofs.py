"""Proofs of what the log is asked for, against one published checkpoint, in each form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.errors import ExchangeRefusal
from exchange.transparency.model import LeafRow, Published
from exchange.transparency.newest import NothingPublished, NotInLog
from exchange.transparency.repository import node_reader, published_of, receipt_signature
from ledger import receipt as cose_receipt
from ledger import tlog_proof
from ledger.checkpoint import TreeHead
from ledger.merkle import consistency_proof
from ledger.multiproof import split_multiproofs
from ledger.note import VKey


class NoReceipt(ExchangeRefusal):
    """A proof that RFC 9942 has no form for."""


@dataclass(frozen=True, slots=True)
class LeafProof:
    """A leaf and the hashes that lead from it to the checkpoint's root."""

    leaf: LeafRow
    path: list[bytes]


def prove_leaves(
    conn: Connection[Any], checkpoint: Published, leaves: Sequence[LeafRow]
) -> list[LeafProof]:
    """A proof of each leaf; every node is read once."""
    groups = [[leaf.index] for leaf in leaves]
    paths = split_multiproofs(node_reader(conn, checkpoint.size), groups, checkpoint.size)
    return [LeafProof(leaf, path) for leaf, path in zip(leaves, paths, strict=True)]


def prove_extends(conn: Connection[Any], checkpoint: Published, older: int) -> list[bytes]:
    """That the tree of ``older`` leaves is the checkpoint's beginning; ``NotInLog`` without one.

    Only of sizes that were published: whoever asks holds a checkpoint.
    """
    if published_of(conn, older) is None or older > checkpoint.size:
        raise NotInLog("No published checkpoint has this size: ask with the size of one.")
    return consistency_proof(node_reader(conn, checkpoint.size), older, checkpoint.size)


def leaf_receipt(
    conn: Connection[Any], checkpoint: Published, proof: LeafProof, log_vkey: str
) -> bytes:
    """The RFC 9942 receipt of inclusion."""
    if not proof.path:
        raise NoReceipt("A log of one leaf gives no receipt: ask for the tlog-proof, or later.")
    key = VKey.parse(log_vkey)
    signature = _signature(conn, checkpoint)
    head = _head(checkpoint, key)
    return cose_receipt.inclusion_receipt(head, key, signature, proof.leaf.index, proof.path)


def extends_receipt(
    conn: Connection[Any], checkpoint: Published, older: int, path: list[bytes], log_vkey: str
) -> bytes:
    """The RFC 9942 receipt of consistency."""
    if not path:
        raise NoReceipt(
            f"The log has {checkpoint.size} leaves: a receipt leads from a smaller tree, of at "
            "least one leaf, to that."
        )
    key = VKey.parse(log_vkey)
    signature = _signature(conn, checkpoint)
    return cose_receipt.consistency_receipt(_head(checkpoint, key), key, signature, older, path)


def leaf_tlog_proof(checkpoint: Published, proof: LeafProof) -> bytes:
    """The C2SP tlog-proof."""
    return tlog_proof.format_proof(proof.leaf.index, proof.path, checkpoint.note)


def _head(checkpoint: Published, key: VKey) -> TreeHead:
    return TreeHead(key.name, checkpoint.size, checkpoint.root)


def _signature(conn: Connection[Any], checkpoint: Published) -> bytes:
    found = receipt_signature(conn, checkpoint.size)
    if found is None:
        raise NothingPublished(
            "The log has not signed receipts of its newest checkpoint yet: try again in a moment."
        )
    return found
