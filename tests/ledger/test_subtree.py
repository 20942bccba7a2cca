"""Subtrees, held against public vectors and against the definition."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.merkle import ProofRefused, consistency_proof, verify_consistency
from ledger.subtree import (
    is_subtree,
    subtree_consistency_proof,
    subtree_inclusion_proof,
    subtree_root,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from tests.ledger.trees import VECTORS, Tree, leaves

_TESTDATA = VECTORS / "ledger" / "transparency-dev-merkle" / "testdata"
_LARGEST = 40
_TREE = Tree(leaves(_LARGEST))
_SUBTREES = [
    (start, end)
    for end in range(1, _LARGEST + 1)
    for start in range(end)
    if any(start % power == 0 and end - start <= power for power in (1, 2, 4, 8, 16, 32, 64))
]


def _probes(kind: str) -> list[Path]:
    return sorted((_TESTDATA / kind).rglob("*.json"))


def _named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def _read(path: Path) -> dict[str, Any]:
    probe: dict[str, Any] = json.loads(path.read_text())
    hashes = {name: b64decode(probe[name]) for name in ("root", "root1", "root2") if name in probe}
    return probe | hashes | {"proof": [b64decode(item) for item in probe["proof"] or []]}


def _expect(refused: bool, check: Callable[[], None]) -> None:
    if refused:
        with pytest.raises(ProofRefused):
            check()
    else:
        check()


def test_there_are_322_probes() -> None:
    assert len(_probes("subtreeinclusion")) == 204
    assert len(_probes("subtreeconsistency")) == 118


@pytest.mark.parametrize("path", _probes("subtreeinclusion"), ids=_named)
def test_inclusion_probe_is_judged_as_published(path: Path) -> None:
    probe = _read(path)

    _expect(
        probe["wantErr"],
        lambda: verify_subtree_inclusion(
            b64decode(probe["leafHash"]),
            probe["leafIdx"],
            probe["start"],
            probe["end"],
            probe["proof"],
            probe["root"],
        ),
    )


@pytest.mark.parametrize("path", _probes("subtreeconsistency"), ids=_named)
def test_consistency_probe_is_judged_as_published(path: Path) -> None:
    probe = _read(path)

    _expect(
        probe["wantErr"],
        lambda: verify_subtree_consistency(
            probe["start"],
            probe["end"],
            probe["size"],
            probe["proof"],
            probe["root1"],
            probe["root2"],
        ),
    )


def test_a_range_is_a_subtree_where_a_power_of_two_that_holds_it_begins() -> None:
    ranges = [(start, end) for end in range(1, _LARGEST + 1) for start in range(end)]

    assert [each for each in ranges if is_subtree(*each)] == _SUBTREES


@pytest.mark.parametrize(("start", "end"), [(0, 0), (4, 4), (5, 4), (-1, 1), (1, 2**63 + 1)])
def test_nothing_and_what_is_past_any_tree_are_no_subtrees(start: int, end: int) -> None:
    assert not is_subtree(start, end)


def test_root_of_a_subtree_is_that_of_a_tree_of_its_leaves() -> None:
    for start, end in _SUBTREES:
        assert _TREE.root_of(start, end) == subtree_root(_TREE.get_node, start, end)


def test_every_leaf_of_every_subtree_has_a_proof_and_no_other_leaf_has_it() -> None:
    for start, end in _SUBTREES:
        root = _TREE.root_of(start, end)
        for index in range(start, end):
            proof = subtree_inclusion_proof(_TREE.get_node, index, start, end)
            leaf = _TREE.leaf_hashes[index]
            verify_subtree_inclusion(leaf, index, start, end, proof, root)
            for other in (start - 1, index ^ 1, end):
                with pytest.raises(ProofRefused):
                    verify_subtree_inclusion(leaf, other, start, end, proof, root)


@pytest.mark.parametrize("size", range(1, _LARGEST + 1))
def test_every_subtree_of_every_tree_has_a_consistency_proof(size: int) -> None:
    for start, end in _SUBTREES:
        if end > size:
            continue
        proof = subtree_consistency_proof(_TREE.get_node, start, end, size)
        root1, root2 = _TREE.root_of(start, end), _TREE.root(size)
        verify_subtree_consistency(start, end, size, proof, root1, root2)
        for place in range(len(proof)):
            for changed in ([bytes(32)], [], [proof[place], proof[place]]):
                with pytest.raises(ProofRefused):
                    verify_subtree_consistency(
                        start,
                        end,
                        size,
                        [*proof[:place], *changed, *proof[place + 1 :]],
                        root1,
                        root2,
                    )
        for first, second in ((bytes(32), root2), (root1, bytes(32))):
            with pytest.raises(ProofRefused):
                verify_subtree_consistency(start, end, size, proof, first, second)


def test_a_subtree_from_the_first_leaf_has_the_consistency_proof_of_that_tree() -> None:
    for size in range(1, _LARGEST + 1):
        for end in range(1, size + 1):
            proof = subtree_consistency_proof(_TREE.get_node, 0, end, size)
            assert consistency_proof(_TREE.get_node, end, size) == proof
            verify_consistency(end, size, proof, _TREE.root(end), _TREE.root(size))


def test_no_proof_is_made_of_what_is_no_subtree_or_not_in_the_tree() -> None:
    for make in (
        lambda: subtree_consistency_proof(_TREE.get_node, 3, 5, 8),
        lambda: subtree_consistency_proof(_TREE.get_node, 4, 8, 7),
        lambda: subtree_inclusion_proof(_TREE.get_node, 3, 3, 5),
        lambda: subtree_inclusion_proof(_TREE.get_node, 3, 4, 8),
        lambda: subtree_root(_TREE.get_node, 4, 4),
    ):
        with pytest.raises(ValueError, match=r"subtree|not in the tree"):
            make()
