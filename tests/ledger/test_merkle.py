"""Proofs of RFC 9162, held against public vectors and against the definitions."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.merkle import (
    EMPTY_ROOT,
    ProofRefused,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_leaf_hashes,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.trees import VECTORS, Tree, leaves

_MERKLE = VECTORS / "ledger" / "transparency-dev-merkle"
_LARGEST = 130
_LARGEST_PAIRED = 300
_TREE = Tree(leaves(_LARGEST_PAIRED))


def _probes(kind: str) -> list[Path]:
    return sorted((_MERKLE / "testdata" / kind).rglob("*.json"))


def _expect(refused: bool, check: Callable[[], None]) -> None:
    if refused:
        with pytest.raises(ProofRefused):
            check()
    else:
        check()


def _hashes(probe: dict[str, Any], name: str) -> list[bytes]:
    return [b64decode(item) for item in probe[name] or []]


def test_there_are_196_probes() -> None:
    assert len(_probes("inclusion")) == 98
    assert len(_probes("consistency")) == 98


@pytest.mark.parametrize("path", _probes("inclusion"), ids=lambda path: path.stem)
def test_inclusion_probe_is_judged_as_published(path: Path) -> None:
    probe = json.loads(path.read_text())

    _expect(
        probe["wantErr"],
        lambda: verify_inclusion(
            b64decode(probe["leafHash"]),
            probe["leafIdx"],
            probe["treeSize"],
            _hashes(probe, "proof"),
            b64decode(probe["root"]),
        ),
    )


@pytest.mark.parametrize("path", _probes("consistency"), ids=lambda path: path.stem)
def test_consistency_probe_is_judged_as_published(path: Path) -> None:
    probe = json.loads(path.read_text())

    _expect(
        probe["wantErr"],
        lambda: verify_consistency(
            probe["size1"],
            probe["size2"],
            _hashes(probe, "proof"),
            b64decode(probe["root1"]),
            b64decode(probe["root2"]),
        ),
    )


def test_classic_tree_has_its_published_roots() -> None:
    classic = json.loads((_MERKLE / "classic-tree.json").read_text())
    hashes = [leaf_hash(bytes.fromhex(item)) for item in classic["leaf_inputs_hex"]]

    roots = [root_from_leaf_hashes(hashes[:size]).hex() for size in range(len(hashes) + 1)]

    assert classic["root_hex_by_size"] == roots


def test_hashes_of_leaf_and_node_are_the_published_ones() -> None:
    assert leaf_hash(b"L123456").hex() == (
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    )
    assert node_hash(b"N123", b"N456").hex() == (
        "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


@pytest.mark.parametrize("size", range(_LARGEST + 1))
def test_root_is_the_same_from_leaves_and_from_complete_nodes(size: int) -> None:
    assert root_from_leaf_hashes(_TREE.leaf_hashes[:size]) == _TREE.root(size)
    assert tree_root(_TREE.get_node, size) == _TREE.root(size)


@pytest.mark.parametrize("size", range(1, _LARGEST + 1))
def test_every_leaf_of_every_size_has_a_proof(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(_TREE.get_node, index, size)
        verify_inclusion(_TREE.leaf_hashes[index], index, size, proof, _TREE.root(size))


@pytest.mark.parametrize("size1", range(1, _LARGEST_PAIRED + 1))
def test_every_pair_of_sizes_has_a_consistency_proof(size1: int) -> None:
    for size2 in range(size1, _LARGEST_PAIRED + 1):
        proof = consistency_proof(_TREE.get_node, size1, size2)
        verify_consistency(size1, size2, proof, _TREE.root(size1), _TREE.root(size2))


def test_nothing_is_shown_from_the_empty_tree() -> None:
    assert consistency_proof(_TREE.get_node, 0, 5) == []
    with pytest.raises(ProofRefused, match="empty tree"):
        verify_consistency(0, 5, [], EMPTY_ROOT, _TREE.root(5))


def test_the_empty_tree_is_consistent_with_itself_alone() -> None:
    verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    with pytest.raises(ProofRefused):
        verify_consistency(0, 0, [], bytes(32), bytes(32))


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (5, 5)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in the tree"):
        inclusion_proof(_TREE.get_node, index, size)


def test_no_proof_leads_backwards() -> None:
    with pytest.raises(ValueError, match="older tree"):
        consistency_proof(_TREE.get_node, 6, 5)
