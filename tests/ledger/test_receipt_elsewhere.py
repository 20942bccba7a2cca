"""``scitt-cose``, a program that knows nothing of Haulproof, verifies our receipts."""

import json
from hashlib import sha256

import cbor2
import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import receipt as receipts
from ledger.checkpoint import TreeHead
from ledger.leaf import leaf_entry
from ledger.merkle import consistency_proof, inclusion_proof, leaf_hash
from ledger.note import VKey
from schemas.kinds import Kind
from tests.ledger.test_receipt import KEY, ORIGIN, SIGNER
from tests.ledger.trees import VECTORS, Tree

_ENTRIES = [leaf_entry(1, bytes([number]) * 32) for number in range(23)]
_TREE = Tree([leaf_hash(entry) for entry in _ENTRIES])
_PEM = Ed25519PublicKey.from_public_bytes(KEY.public).public_bytes(
    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
)


def receipt_of(index: int, size: int) -> bytes:
    head = TreeHead(ORIGIN, size, _TREE.root(size))
    path = inclusion_proof(_TREE.get_node, index, size)
    return receipts.inclusion_receipt(head, KEY, receipts.sign_root(head, SIGNER), index, path)


@pytest.mark.parametrize("size", range(2, len(_ENTRIES) + 1))
def test_it_accepts_every_receipt_of_ours(size: int) -> None:
    for index in range(size):
        result = scitt_cose.verify_receipt(
            receipt_of(index, size),
            leaf_entry_hex=_ENTRIES[index].hex(),
            log_public_key_pem=_PEM,
        )

        assert result.ok, result.errors
        assert (result.tree_size, result.leaf_index) == (size, index)
        assert result.root == _TREE.root(size).hex()
        assert (result.issuer, result.subject) == (ORIGIN, ORIGIN)


def test_it_refuses_what_we_refuse() -> None:
    raw = receipt_of(5, 9)
    for entry, changed in ((_ENTRIES[4], raw), (_ENTRIES[5], raw[:-1] + bytes([raw[-1] ^ 1]))):
        result = scitt_cose.verify_receipt(
            changed, leaf_entry_hex=entry.hex(), log_public_key_pem=_PEM
        )

        assert not result.ok


@pytest.mark.parametrize("size", range(2, len(_ENTRIES) + 1))
def test_its_parts_accept_every_consistency_receipt_of_ours(size: int) -> None:
    """It has no word for these receipts; its signature check and its tree do the two steps."""
    head = TreeHead(ORIGIN, size, _TREE.root(size))
    for older in range(1, size):
        path = consistency_proof(_TREE.get_node, older, size)
        signature = receipts.sign_root(head, SIGNER)
        raw = receipts.consistency_receipt(head, KEY, signature, older, path)

        _, unprotected, _, _ = cbor2.loads(raw).value
        first, second, hashes = cbor2.loads(unprotected[396][-2][0])
        scitt_cose.verify_sign1(raw, public_key_pem=_PEM, detached_payload=head.root)
        assert (first, second) == (older, size)
        assert scitt_cose.merkle.verify_consistency(
            _TREE.root(older).hex(), head.root.hex(), older, size, [item.hex() for item in hashes]
        )


def test_it_accepts_the_receipt_that_we_publish() -> None:
    folder = VECTORS / "proofs"
    verdicts = json.loads((folder / "verdicts.json").read_text())
    log = VKey.parse(verdicts["policy"].split()[1])
    statement = (folder / "trip.cose").read_bytes()
    pem = Ed25519PublicKey.from_public_bytes(log.public).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )

    result = scitt_cose.verify_receipt(
        (folder / "trip.receipt").read_bytes(),
        leaf_entry_hex=leaf_entry(Kind.TRIP, sha256(statement).digest()).hex(),
        log_public_key_pem=pem,
    )

    assert result.ok, result.errors
    assert result.leaf_index == verdicts["index"]
