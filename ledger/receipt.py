"""COSE receipts (RFC 9942): that a leaf is in the log, or that its tree extends an older one.

A receipt's signature covers the root alone. Which log and which size that root is of has to be in
the protected header, where a reader demands both: ``{1: -8, 4: kid, 15: {1: origin, 2: origin,
-65537: tree size}, 395: 1}``. The header is the same for every leaf of a checkpoint, and so is the
detached payload, its root: one signature serves all of its receipts, of both sorts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.checkpoint import TreeHead
from ledger.merkle import (
    HASH_BYTES,
    TREE_SIZE_MAX,
    ProofRefused,
    consistency_root,
    inclusion_root,
)
from ledger.note import ED25519, NoteSigner, VKey
from schemas.cose import cbor, sign1
from schemas.cose.keys import KID_BYTES, PublicKey
from schemas.cose.suites import EDDSA
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import ORIGIN_BYTES_MAX, PROTECTED_BYTES_MAX

MEDIA_TYPE = "application/scitt-receipt+cose"
RECEIPT_BYTES_MAX = 16_384
PATH_HASHES_MAX = 126
"""Twice the height of the largest tree: no consistency proof is longer."""

RFC9162_SHA256 = 1
"""The one verifiable data structure that is read."""

_ALG, _KID, _CLAIMS, _VDS, _VDP = 1, 4, 15, 395, 396
_ISSUER, _SUBJECT, _TREE_SIZE = 1, 2, -65537
_INCLUSION, _CONSISTENCY = -1, -2


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf is in a tree: its path, the leaf's sibling first."""

    size: int
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the tree of ``older`` leaves is the beginning of that of ``size``."""

    older: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose form is right; nothing that it says has been verified."""

    protected: bytes
    proof: Inclusion | Consistency
    signature: bytes


@dataclass(frozen=True, slots=True)
class Claims:
    """What the protected header of a receipt of this log says."""

    kid: bytes
    origin: str
    size: int


def sign_root(head: TreeHead, signer: NoteSigner) -> bytes:
    """The log's signature (64 bytes) for every receipt of this tree.

    To be asked only of a head that the log has signed already, as a checkpoint.
    """
    _check_log(head, signer.vkey)
    return signer.sign(sign1.to_be_signed(protected_header(head, signer.vkey), head.root))


def protected_header(head: TreeHead, key: VKey) -> bytes:
    """The protected header of every receipt of this tree, as signed."""
    claims = {_ISSUER: head.origin, _SUBJECT: head.origin, _TREE_SIZE: head.size}
    kid = _public(key).kid
    return cbor.encode({_ALG: EDDSA, _KID: kid, _CLAIMS: claims, _VDS: RFC9162_SHA256})


def inclusion_receipt(
    head: TreeHead, key: VKey, signature: bytes, index: int, path: Sequence[bytes]
) -> bytes:
    """The receipt of leaf ``index``; ``signature`` is ``sign_root``'s.

    ``ValueError`` for a tree of one leaf: its path is empty, which the RFC's CDDL does not allow.
    """
    return _encoded(head, key, signature, _INCLUSION, [head.size, index, list(path)])


def consistency_receipt(
    head: TreeHead, key: VKey, signature: bytes, older: int, path: Sequence[bytes]
) -> bytes:
    """The receipt that the tree of ``older`` leaves, fewer than the head's, is its beginning."""
    return _encoded(head, key, signature, _CONSISTENCY, [older, head.size, list(path)])


def parse(raw: bytes) -> Receipt:
    """Read a receipt of any log with RFC 9162 trees; ``StatementRefused`` otherwise.

    One proof, detached payload, deterministic encoding; of the protected header algorithm and data
    structure alone are looked at.
    """
    if len(raw) > RECEIPT_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {RECEIPT_BYTES_MAX} bytes")
    protected, unprotected, payload, signature = sign1.parts_of(raw)
    if payload is not None:
        raise malformed("a receipt's payload is detached")
    cbor.take_bytes(protected, "the protected header")
    _check_structure(protected)
    proofs = cbor.take_map(unprotected, "the unprotected header", (_VDP,))[_VDP]
    return Receipt(protected, _read_proof(proofs), cbor.take_bytes(signature, "the signature"))


def claims_of(receipt: Receipt) -> Claims:
    """What the header claims of log and tree; ``StatementRefused`` where it lacks any of it."""
    header = cbor.take_map(
        cbor.decode(receipt.protected), "the protected header", (_ALG, _KID, _CLAIMS, _VDS)
    )
    if header[_ALG] != EDDSA:
        raise StatementRefused(Reason.UNSUPPORTED, "a receipt that is not signed with Ed25519")
    claims = cbor.take_map(header[_CLAIMS], "the claims", (_ISSUER, _SUBJECT, _TREE_SIZE))
    origin = cbor.take_text(claims[_ISSUER], "the origin", ORIGIN_BYTES_MAX)
    if claims[_SUBJECT] != origin:
        raise malformed("issuer and subject of a receipt are both the log's origin")
    return Claims(
        kid=cbor.take_bytes(header[_KID], "kid", KID_BYTES),
        origin=origin,
        size=cbor.take_uint(claims[_TREE_SIZE], "the tree size", TREE_SIZE_MAX),
    )


def verify_inclusion_receipt(receipt: Receipt, key: VKey, leaf_hash: bytes) -> TreeHead:
    """The tree in which the log's key has signed that this leaf is.

    ``StatementRefused`` (wrong-origin, wrong-key, malformed, bad-signature) or ``ProofRefused``.
    """
    proof = receipt.proof
    if not isinstance(proof, Inclusion):
        raise ProofRefused("the receipt shows no inclusion")
    return _verified(receipt, key, inclusion_root(leaf_hash, proof.index, proof.size, proof.path))


def verify_consistency_receipt(receipt: Receipt, key: VKey, older_root: bytes) -> TreeHead:
    """The tree of which the log's key has signed that it begins with the older one.

    The older root is the reader's own. Refused as ``verify_inclusion_receipt`` does.
    """
    proof = receipt.proof
    if not isinstance(proof, Consistency):
        raise ProofRefused("the receipt shows no consistency")
    root = consistency_root(proof.older, proof.size, proof.path, older_root)
    return _verified(receipt, key, root)


def names_key(claims: Claims, key: VKey) -> bool:
    """Whether these claims name the key: of that log, Ed25519, with that key id."""
    return key.type == ED25519 and claims.origin == key.name and claims.kid == _public(key).kid


def _verified(receipt: Receipt, key: VKey, root: bytes) -> TreeHead:
    claims = claims_of(receipt)
    if claims.origin != key.name:
        raise StatementRefused(Reason.WRONG_ORIGIN, f"the receipt is of the log {claims.origin}")
    if not names_key(claims, key):
        raise StatementRefused(Reason.WRONG_KEY, "the receipt names another key")
    if claims.size != receipt.proof.size:
        raise malformed("the proof is for another tree size than the header's")
    head = TreeHead(claims.origin, claims.size, root)
    _public(key).verify(sign1.to_be_signed(receipt.protected, root), receipt.signature)
    return head


def _encoded(head: TreeHead, key: VKey, signature: bytes, label: int, proof: list[Any]) -> bytes:
    _check_log(head, key)
    if not proof[-1]:
        raise ValueError("a receipt has a path of at least one hash")
    proofs = {_VDP: {label: [cbor.encode(proof)]}}
    protected = protected_header(head, key)
    return sign1.of_parts(protected, proofs, None, signature)


def _check_log(head: TreeHead, key: VKey) -> None:
    if head.origin != key.name:
        raise ValueError("a log's key is named like its origin")


def _check_structure(protected: bytes) -> None:
    if len(protected) > PROTECTED_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, "the protected header is too large")
    header = cbor.decode_exact(protected)
    if type(header) is not dict or type(header.get(_ALG)) is not int:
        raise malformed("the protected header names no algorithm")
    if header.get(_VDS) != RFC9162_SHA256:
        raise StatementRefused(Reason.UNSUPPORTED, "a receipt of a tree that is not RFC 9162's")


def _read_proof(value: object) -> Inclusion | Consistency:
    if type(value) is not dict or len(value) != 1:
        raise malformed("a receipt holds an inclusion proof or a consistency proof")
    ((label, proofs),) = value.items()
    if label not in (_INCLUSION, _CONSISTENCY):
        raise malformed("a receipt holds an inclusion proof or a consistency proof")
    (encoded,) = cbor.take_list(proofs, "the proofs", 1)
    proof = cbor.decode(cbor.take_bytes(encoded, "a proof"))
    first, second, hashes = cbor.take_list(proof, "a proof", 3)
    first = cbor.take_uint(first, "a tree size", TREE_SIZE_MAX)
    second = cbor.take_uint(second, "an index or a tree size", TREE_SIZE_MAX)
    if label == _INCLUSION:
        return Inclusion(size=first, index=second, path=_read_path(hashes))
    return Consistency(older=first, size=second, path=_read_path(hashes))


def _read_path(value: object) -> tuple[bytes, ...]:
    hashes = cbor.take_list(value, "a path")
    if len(hashes) > PATH_HASHES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"a path of more than {PATH_HASHES_MAX} hashes")
    return tuple(cbor.take_bytes(item, "a hash", HASH_BYTES) for item in hashes)


def _public(key: VKey) -> PublicKey:
    if key.type != ED25519:
        raise StatementRefused(Reason.UNSUPPORTED, "receipts are signed with an Ed25519 log key")
    return PublicKey.of(Ed25519PublicKey.from_public_bytes(key.public))
