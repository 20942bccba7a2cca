"""Receipts, tlog-proofs and transparent statements of a world's leaves, as its log would give."""

from hashlib import sha256

from ledger import receipt, tlog_proof, transparent
from ledger.checkpoint import TreeHead, sign_checkpoint, unverified_head
from ledger.leaf import leaf_entry, statement_leaf_hash
from ledger.merkle import consistency_proof, inclusion_proof, root_from_leaf_hashes
from ledger.tiles import encode_bundle, entries_path, tile_path
from tests.ledger.evidence.world import World


def head_of(world: World) -> TreeHead:
    return unverified_head(world.note())[0]


def receipt_of(world: World, index: int) -> bytes:
    head = head_of(world)
    signature = receipt.sign_root(head, world.keys.log)
    path = inclusion_proof(world.get_node, index, head.size)
    return receipt.inclusion_receipt(head, world.keys.log.vkey, signature, index, path)


def consistency_receipt_of(world: World, older: int) -> bytes:
    head = head_of(world)
    signature = receipt.sign_root(head, world.keys.log)
    path = consistency_proof(world.get_node, older, head.size)
    return receipt.consistency_receipt(head, world.keys.log.vkey, signature, older, path)


def tlog_proof_of(world: World, index: int, note: bytes | None = None) -> bytes:
    path = inclusion_proof(world.get_node, index, head_of(world).size)
    return tlog_proof.format_proof(index, path, world.note() if note is None else note)


def transparent_of(world: World, index: int) -> bytes:
    return transparent.attach(world.raw(index), [receipt_of(world, index)])


def leaf_hash_of(world: World, index: int) -> bytes:
    kind, raw = world.statements[index]
    return statement_leaf_hash(kind, sha256(raw).digest())


def log_files(world: World) -> dict[str, bytes]:
    """The published log: checkpoint, tiles and bundle of at most 256 leaves, by path."""
    size = len(world.statements)
    entries = [leaf_entry(kind, sha256(raw).digest()) for kind, raw in world.statements]
    hashes = b"".join(leaf_hash_of(world, index) for index in range(size))
    return {
        "checkpoint": world.note(),
        entries_path(0, size): encode_bundle(entries),
        tile_path(0, 0, size): hashes,
    }


def older_root_of(world: World, size: int) -> bytes:
    return root_from_leaf_hashes([leaf_hash_of(world, index) for index in range(size)])


def note_of(world: World, size: int) -> bytes:
    """The checkpoint that the log signed when it had so many leaves."""
    return sign_checkpoint(TreeHead(world.origin, size, older_root_of(world, size)), world.keys.log)


def forked_note(world: World, size: int) -> bytes:
    """A checkpoint of another history, by the same key."""
    return sign_checkpoint(TreeHead(world.origin, size, bytes(32)), world.keys.log)
