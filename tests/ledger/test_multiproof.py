"""Multi-proofs, held against the reference vectors and against single proofs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.leaf import leaf_entry, parse_entry, statement_leaf_hash
from ledger.merkle import ProofRefused, inclusion_proof
from ledger.multiproof import multiproof, split_multiproofs, verify_multiproof
from ledger.tiles import TileReader, append
from tests.ledger.trees import VECTORS, Tree, leaves

_REFERENCE: dict[str, Any] = json.loads((VECTORS / "haulproof" / "multiproof.json").read_text())
_LARGEST = 70_001
_LEAVES = leaves(_LARGEST)
_SMALL = Tree(_LEAVES[:300])


def _reader(size: int) -> TileReader:
    tiles = append(0, {}, _LEAVES[:size]).changed
    return TileReader(lambda level, n: tiles[level, n])


def _hex(items: list[str]) -> list[bytes]:
    return [bytes.fromhex(item) for item in items]


@pytest.mark.parametrize("case", _REFERENCE["cases"], ids=lambda case: f"size-{case['size']}")
def test_reference_proof_is_made_and_verified(case: dict[str, Any]) -> None:
    root, hashes = bytes.fromhex(case["root"]), _hex(case["hashes"])
    chosen = {index: _LEAVES[index] for index in case["indices"]}

    made = multiproof(_reader(case["size"]), case["indices"], case["size"])

    assert hashes == made
    verify_multiproof(chosen, case["size"], hashes, root)


@pytest.mark.parametrize("case", _REFERENCE["refused"], ids=lambda case: str(case["name"]))
def test_reference_forgery_is_refused(case: dict[str, Any]) -> None:
    chosen = [(index, _LEAVES[index]) for index in case["indices"]]

    with pytest.raises(ProofRefused):
        verify_multiproof(chosen, case["size"], _hex(case["hashes"]), bytes.fromhex(case["root"]))


def test_leaf_entry_is_that_of_the_reference() -> None:
    leaf = _REFERENCE["leaf"]
    entry = bytes.fromhex(leaf["entry_hex"])
    kind, digest = parse_entry(entry)

    assert leaf["kind"] == kind
    assert entry == leaf_entry(kind, digest)
    assert leaf["leaf_hash"] == statement_leaf_hash(kind, digest).hex()


@given(st.data())
def test_every_choice_of_leaves_verifies_and_no_changed_proof_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    indices = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=40)))
    root = _SMALL.root(size)
    chosen = {index: _LEAVES[index] for index in indices}
    proof = multiproof(_SMALL.get_node, indices, size)

    verify_multiproof(chosen, size, proof, root)

    changed = [[*proof, bytes(32)], [bytes(32), *proof]]
    for place, value in enumerate(proof):
        changed.append([*proof[:place], *proof[place + 1 :]])
        changed.append([*proof[:place], bytes([value[0] ^ 1]) + value[1:], *proof[place + 1 :]])
        changed.append([*proof[:place], value[1:], *proof[place + 1 :]])
    for hashes in changed:
        with pytest.raises(ProofRefused):
            verify_multiproof(chosen, size, hashes, root)
    with pytest.raises(ProofRefused):
        verify_multiproof({**chosen, indices[0]: bytes(32)}, size, proof, root)
    with pytest.raises(ProofRefused):
        verify_multiproof({index + 1: value for index, value in chosen.items()}, size, proof, root)


@given(st.integers(1, 300), st.data())
def test_a_multiproof_of_one_leaf_is_its_inclusion_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))

    assert inclusion_proof(_SMALL.get_node, index, size) == multiproof(
        _SMALL.get_node, [index], size
    )


@given(st.data())
def test_proofs_of_groups_are_those_of_each_group_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    indices = st.sets(st.integers(0, size - 1), min_size=1, max_size=8).map(sorted)
    groups = data.draw(st.lists(indices, max_size=12))

    together = split_multiproofs(_SMALL.get_node, groups, size)

    assert [multiproof(_SMALL.get_node, group, size) for group in groups] == together


def test_proofs_of_a_batch_fetch_every_node_once() -> None:
    tree = Tree(_LEAVES[:5_000])
    groups = [[index] for index in range(3_000, 4_000)]

    proofs = split_multiproofs(tree.get_node, groups, 5_000)

    assert len(proofs) == 1_000
    assert len(tree.fetched) == len(set(tree.fetched))


def test_a_proof_of_thousands_of_leaves_holds_each_hash_once() -> None:
    indices = list(range(0, 60_000, 7))
    proof = multiproof(_reader(_LARGEST), indices, _LARGEST)

    assert len(proof) == len(set(proof))
    verify_multiproof({i: _LEAVES[i] for i in indices}, _LARGEST, proof, _root(_LARGEST))


def _root(size: int) -> bytes:
    return append(0, {}, _LEAVES[:size]).root


@pytest.mark.parametrize("indices", [[], [3, 3], [4, 3], [-1, 3], [300]])
def test_no_proof_is_made_of_indices_that_name_no_leaves(indices: list[int]) -> None:
    with pytest.raises(ValueError, match="indices"):
        multiproof(_SMALL.get_node, indices, 300)


def test_a_proof_of_nothing_is_refused() -> None:
    with pytest.raises(ProofRefused, match="no leaf"):
        verify_multiproof({}, 5, [], _SMALL.root(5))
