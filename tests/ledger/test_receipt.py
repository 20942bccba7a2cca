"""COSE receipts: what the log's key signed verifies, and no other byte does."""

from dataclasses import replace
from pathlib import Path

import cbor2
import pycddl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import receipt as receipts
from ledger.checkpoint import TreeHead
from ledger.merkle import ProofRefused, consistency_proof, inclusion_proof
from ledger.note import Ed25519NoteSigner, VKey
from ledger.receipt import Consistency, Inclusion
from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused
from tests.ledger.trees import VECTORS, Tree, leaves

ORIGIN = "log.example/a"
SIGNER = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = SIGNER.vkey
LARGEST = 40
TREE = Tree(leaves(LARGEST))
PUBLISHED = VECTORS / "ledger" / "cose-receipts"


def head_of(size: int) -> TreeHead:
    return TreeHead(ORIGIN, size, TREE.root(size))


def inclusion(index: int, size: int) -> bytes:
    head = head_of(size)
    path = inclusion_proof(TREE.get_node, index, size)
    return receipts.inclusion_receipt(head, KEY, receipts.sign_root(head, SIGNER), index, path)


def consistency(older: int, size: int) -> bytes:
    head = head_of(size)
    path = consistency_proof(TREE.get_node, older, size)
    return receipts.consistency_receipt(head, KEY, receipts.sign_root(head, SIGNER), older, path)


def verifies(raw: bytes, leaf: bytes, key: VKey = KEY) -> bool:
    try:
        receipts.verify_inclusion_receipt(receipts.parse(raw), key, leaf)
    except (StatementRefused, ProofRefused):
        return False
    return True


@pytest.mark.parametrize("size", range(2, LARGEST + 1))
def test_every_leaf_of_every_size_has_a_receipt(size: int) -> None:
    for index in range(size):
        read = receipts.parse(inclusion(index, size))

        head = receipts.verify_inclusion_receipt(read, KEY, TREE.leaf_hashes[index])
        assert head == head_of(size)


@pytest.mark.parametrize("size", range(2, LARGEST + 1))
def test_every_older_tree_has_a_receipt(size: int) -> None:
    for older in range(1, size):
        read = receipts.parse(consistency(older, size))

        head = receipts.verify_consistency_receipt(read, KEY, TREE.root(older))
        assert head == head_of(size)


def test_one_signature_and_one_header_serve_every_receipt_of_a_tree() -> None:
    raw = [inclusion(0, 9), inclusion(5, 9), inclusion(8, 9), consistency(4, 9)]
    read = [receipts.parse(one) for one in raw]

    assert len({(one.protected, one.signature) for one in read}) == 1
    assert cbor2.loads(read[0].protected) == {
        1: -8,
        4: receipts.claims_of(read[0]).kid,
        15: {1: ORIGIN, 2: ORIGIN, -65537: 9},
        395: 1,
    }


def test_no_receipt_with_a_changed_byte_verifies() -> None:
    raw, leaf = inclusion(5, 9), TREE.leaf_hashes[5]
    assert verifies(raw, leaf)

    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            assert not verifies(bytes(changed), leaf), (place, bit)


@given(st.data())
def test_no_receipt_that_is_longer_or_shorter_verifies(data: st.DataObject) -> None:
    raw, leaf = inclusion(5, 9), TREE.leaf_hashes[5]
    place = data.draw(st.integers(0, len(raw)))
    more = data.draw(st.binary(min_size=1, max_size=3))

    assert not verifies(raw[:place] + more + raw[place:], leaf)
    assert not verifies(raw[:place], leaf) or place == len(raw)


def test_another_leaf_key_or_log_does_not_verify() -> None:
    raw = inclusion(5, 9)
    stranger = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"x" * 32)).vkey
    elsewhere = replace(KEY, name="log.example/b")

    assert not verifies(raw, TREE.leaf_hashes[4])
    assert not verifies(raw, TREE.leaf_hashes[5], stranger)
    assert not verifies(raw, TREE.leaf_hashes[5], elsewhere)
    with pytest.raises(ProofRefused, match="another older root"):
        receipts.verify_consistency_receipt(receipts.parse(consistency(3, 9)), KEY, TREE.root(4))


def test_a_tree_size_that_the_root_alone_would_not_tell_is_refused() -> None:
    """The path of leaf 5 of 8 leads to the same root in a tree of 7: the header says which."""
    raw, leaf = inclusion(5, 8), TREE.leaf_hashes[5]
    claimed = receipts.parse(raw)
    path = cbor2.dumps([7, 5, list(claimed.proof.path)])
    moved = cbor2.CBORTag(18, [claimed.protected, {396: {-1: [path]}}, None, claimed.signature])

    read = receipts.parse(cbor2.dumps(moved))
    with pytest.raises(StatementRefused, match="another tree size"):
        receipts.verify_inclusion_receipt(read, KEY, leaf)


@pytest.mark.parametrize(
    "header",
    [
        {1: -8, 4: b"k" * 8, 15: {1: ORIGIN, 2: ORIGIN}, 395: 1},
        {1: -8, 4: b"k" * 8, 15: {2: ORIGIN, -65537: 9}, 395: 1},
        {1: -8, 4: b"k" * 8, 15: {1: ORIGIN, 2: "another", -65537: 9}, 395: 1},
        {1: -8, 4: b"k" * 8, 15: {1: ORIGIN, 2: ORIGIN, -65537: -9}, 395: 1},
        {1: -8, 15: {1: ORIGIN, 2: ORIGIN, -65537: 9}, 395: 1},
        {1: -7, 4: b"k" * 8, 15: {1: ORIGIN, 2: ORIGIN, -65537: 9}, 395: 1},
    ],
    ids=["no size", "no issuer", "two origins", "negative size", "no kid", "another algorithm"],
)
def test_a_header_that_does_not_say_which_tree_is_refused(header: dict[int, object]) -> None:
    raw = cbor.encode(
        cbor2.CBORTag(18, [cbor.encode(header), {396: {-1: [_proof()]}}, None, bytes(64)])
    )

    with pytest.raises(StatementRefused):
        receipts.claims_of(receipts.parse(raw))


def _proof() -> bytes:
    return cbor.encode([9, 5, [bytes(32)]])


def _framed(
    *,
    header: dict[int, object] | None = None,
    unprotected: object = None,
    payload: object = None,
    tag: int = 18,
) -> bytes:
    protected = cbor.encode({1: -8, 395: 1} if header is None else header)
    labels = {396: {-1: [_proof()]}} if unprotected is None else unprotected
    return cbor2.dumps(cbor2.CBORTag(tag, [protected, labels, payload, bytes(64)]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xd2",
        _framed(tag=17),
        cbor2.dumps([b"", {}, None, b""]),
        _framed(payload=bytes(32)),
        _framed(header={1: -8}),
        _framed(header={1: -8, 395: 2}),
        _framed(header={1: -8, -111: 1}),
        _framed(unprotected={}),
        _framed(unprotected={-222: {-1: [_proof()]}}),
        _framed(unprotected={396: {-3: [_proof()]}}),
        _framed(unprotected={396: {-1: []}}),
        _framed(unprotected={396: {-1: [_proof(), _proof()]}}),
        _framed(unprotected={396: {-1: [_proof()], -2: [_proof()]}}),
        _framed(unprotected={396: {-1: [cbor.encode([9, 5, [bytes(31)]])]}}),
        _framed(unprotected={396: {-1: [cbor.encode([9, 5, [bytes(32)] * 127])]}}),
        _framed(unprotected={396: {-1: [cbor.encode([-9, 5, [bytes(32)]])]}}),
        _framed(unprotected={396: {-1: [_proof() + b"\x00"]}}),
        _framed() + b"\x00",
        bytes(receipts.RECEIPT_BYTES_MAX + 1),
    ],
)
def test_what_is_no_receipt_is_refused(raw: bytes) -> None:
    with pytest.raises(StatementRefused):
        receipts.parse(raw)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for raw in (data, b"\xd2\x84" + data, inclusion(0, 3)[:-64] + data):
        assert not verifies(raw, TREE.leaf_hashes[0])


def test_a_receipt_without_a_path_is_not_made() -> None:
    """The CDDL of RFC 9942 asks for at least one hash."""
    with pytest.raises(ValueError, match="at least one hash"):
        inclusion(0, 1)
    with pytest.raises(ValueError, match="at least one hash"):
        consistency(9, 9)


def test_a_key_signs_receipts_of_its_own_log_alone() -> None:
    elsewhere = replace(head_of(9), origin="log.example/b")

    with pytest.raises(ValueError, match="named like its origin"):
        receipts.sign_root(elsewhere, SIGNER)


def test_published_inclusion_receipt_is_read() -> None:
    read = receipts.parse((PUBLISHED / "inclusion-receipt.cbor").read_bytes())

    assert isinstance(read.proof, Inclusion)
    assert (read.proof.size, read.proof.index, len(read.proof.path)) == (5, 3, 3)


def test_published_consistency_receipt_is_read() -> None:
    read = receipts.parse((PUBLISHED / "consistency-receipt.cbor").read_bytes())

    assert isinstance(read.proof, Consistency)
    assert (read.proof.older, read.proof.size, len(read.proof.path)) == (3, 5, 4)


@pytest.mark.parametrize("name", ["inclusion", "consistency"])
def test_published_receipts_name_no_tree_and_are_not_believed(name: str) -> None:
    read = receipts.parse((PUBLISHED / f"{name}-receipt.cbor").read_bytes())

    with pytest.raises(StatementRefused) as refused:
        receipts.claims_of(read)
    assert refused.value.reason in (Reason.MALFORMED, Reason.UNSUPPORTED)


BOTH = pytest.mark.parametrize(
    ("name", "raw"), [("inclusion", inclusion(5, 9)), ("consistency", consistency(5, 9))]
)


@BOTH
def test_ours_have_the_structure_that_was_published(name: str, raw: bytes) -> None:
    schema = (PUBLISHED / f"{name}-receipt.cddl").read_text()

    pycddl.Schema(schema).validate_cbor(raw)


@BOTH
def test_ours_have_the_structure_of_our_own_cddl(name: str, raw: bytes) -> None:
    schema = Path(receipts.__file__).with_suffix(".cddl").read_text()
    protected, unprotected, _, _ = cbor2.loads(raw).value
    ((_, (proof,)),) = unprotected[396].items()

    pycddl.Schema(schema).validate_cbor(raw)
    pycddl.Schema(f"root = signed-header\n{schema}").validate_cbor(protected)
    pycddl.Schema(f"root = {name}\n{schema}").validate_cbor(proof)
