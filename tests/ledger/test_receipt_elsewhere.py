"""``scitt-cose``, a program that knows nothing of Haulproof, verifies our receipts."""

import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import receipt as receipts
from ledger.checkpoint import TreeHead
from ledger.leaf import leaf_entry
from ledger.merkle import inclusion_proof, leaf_hash
from tests.ledger.test_receipt import KEY, ORIGIN, SIGNER
from tests.ledger.trees import Tree

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
