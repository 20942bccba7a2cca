"""No proof verifies once anything of it was changed, whatever the tree.

A root alone does not say how large its tree is: a proof verifies for every index and size in which
its hashes stand on the same sides, and for no other. Hence a checkpoint signs root and size.
"""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import TreeHead
from ledger.merkle import (
    ProofRefused,
    consistency_proof,
    inclusion_proof,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.trees import Tree, leaves, path_shape, prefix_shape

_SIZES = range(1, 34)
_TREE = Tree(leaves(64))
_HEIGHT = 62


def _row_of_equal_leaves() -> list[bytes]:
    nodes = [sha256(b"\x00the same").digest()]
    while len(nodes) <= _HEIGHT:
        nodes.append(node_hash(nodes[-1], nodes[-1]))
    return nodes


_EQUAL = _row_of_equal_leaves()


def _equal(level: int, _index: int) -> bytes:
    """Nodes of a tree whose leaves are all alike: it can be of any size."""
    return _EQUAL[level]


def _changed(proof: list[bytes]) -> Iterator[list[bytes]]:
    """One hash more, less, other, shorter or longer, at every place; and other orders."""
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]
    for place, value in enumerate(proof):
        before, after = proof[:place], proof[place + 1 :]
        yield [*before, *after]
        yield [*before, value, value, *after]
        for other in (_flipped(value, 0), _flipped(value, 255), value[:31], value + b"\x00", b""):
            yield [*before, other, *after]
        for further in range(place + 1, len(proof)):
            swapped = list(proof)
            swapped[place], swapped[further] = swapped[further], swapped[place]
            if swapped != proof:
                yield swapped
    if proof[::-1] != proof:
        yield proof[::-1]


def _flipped(value: bytes, bit: int) -> bytes:
    flipped = bytearray(value)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def _included(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        verify_inclusion(leaf, index, size, proof, root)
    except ProofRefused:
        return False
    return True


def _consistent(size1: int, size2: int, proof: list[bytes], root1: bytes, root2: bytes) -> bool:
    try:
        verify_consistency(size1, size2, proof, root1, root2)
    except ProofRefused:
        return False
    return True


@pytest.mark.parametrize("size", _SIZES)
def test_no_changed_inclusion_proof_verifies(size: int) -> None:
    root = _TREE.root(size)
    for index in range(size):
        leaf, proof = _TREE.leaf_hashes[index], inclusion_proof(_TREE.get_node, index, size)

        assert _included(leaf, index, size, proof, root)
        for changed in _changed(proof):
            assert not _included(leaf, index, size, changed, root)
        assert not _included(_flipped(leaf, 7), index, size, proof, root)
        assert not _included(leaf, index, size, proof, _flipped(root, 7))


@pytest.mark.parametrize("size", _SIZES)
def test_an_inclusion_proof_holds_for_another_place_only_if_that_has_its_shape(size: int) -> None:
    root = _TREE.root(size)
    for index in range(size):
        leaf, proof = _TREE.leaf_hashes[index], inclusion_proof(_TREE.get_node, index, size)
        for other_size in range(1, 2 * size + 2):
            for other in range(-1, other_size + 1):
                alike = 0 <= other < other_size and (
                    path_shape(other, other_size) == path_shape(index, size)
                )
                assert alike is _included(leaf, other, other_size, proof, root)


@pytest.mark.parametrize("size2", _SIZES[1:])
def test_no_changed_consistency_proof_verifies(size2: int) -> None:
    for size1 in range(1, size2 + 1):
        proof = consistency_proof(_TREE.get_node, size1, size2)
        root1, root2 = _TREE.root(size1), _TREE.root(size2)

        assert _consistent(size1, size2, proof, root1, root2)
        for changed in _changed(proof):
            assert not _consistent(size1, size2, changed, root1, root2)
        assert not _consistent(size1, size2, proof, _flipped(root1, 7), root2)
        assert not _consistent(size1, size2, proof, root1, _flipped(root2, 7))
        if size1 != size2:
            assert not _consistent(size2, size1, proof, root2, root1)
            assert not _consistent(size1, size2, proof, root2, root1)


@pytest.mark.parametrize("size2", _SIZES[1:])
def test_a_consistency_proof_holds_for_other_sizes_only_if_they_have_its_shape(size2: int) -> None:
    for size1 in range(1, size2):
        proof = consistency_proof(_TREE.get_node, size1, size2)
        root1, root2 = _TREE.root(size1), _TREE.root(size2)
        for other2 in range(2 * size2 + 2):
            for other1 in range(other2):
                alike = other1 > 0 and (prefix_shape(other1, other2) == prefix_shape(size1, size2))
                assert alike is _consistent(other1, other2, proof, root1, root2)


def test_a_checkpoint_says_which_of_the_trees_of_one_root_is_meant() -> None:
    root = _TREE.root(8)
    proof = inclusion_proof(_TREE.get_node, 5, 8)

    assert _included(_TREE.leaf_hashes[5], 5, 7, proof, root)
    seven, eight = (TreeHead("example.com/log", size, root).text for size in (7, 8))
    assert seven != eight
    assert eight.endswith(b"\n8\n" + b64encode(root) + b"\n")


@given(st.data())
def test_no_changed_proof_verifies_in_a_tree_of_any_size(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 2**_HEIGHT))
    index = data.draw(st.integers(0, size - 1))
    older = data.draw(st.integers(1, size))
    root, older_root = tree_root(_equal, size), tree_root(_equal, older)
    included = inclusion_proof(_equal, index, size)
    consistent = consistency_proof(_equal, older, size)

    assert _included(_EQUAL[0], index, size, included, root)
    assert _consistent(older, size, consistent, older_root, root)
    for changed in _changed(included):
        assert not _included(_EQUAL[0], index, size, changed, root)
    for changed in _changed(consistent):
        assert not _consistent(older, size, changed, older_root, root)
