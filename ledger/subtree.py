"""Subtrees of draft-ietf-plants-merkle-tree-certs section 4: part of a tree as a tree of its own.

A subtree is the leaves from ``start`` up to ``end`` where ``start`` is a multiple of the smallest
power of two that is not below ``end - start``. Its root is that of a tree of these leaves alone, so
whoever knows the root of a subtree needs only its own proofs to find a leaf in it. Witnesses sign
subtrees (C2SP tlog-witness, ``sign-subtree``), mirrors are fed by them.
"""

from collections.abc import Sequence

from ledger.merkle import (
    EMPTY_ROOT,
    TREE_SIZE_MAX,
    GetNode,
    ProofRefused,
    inclusion_proof,
    path_from,
    tree_root,
    verify_inclusion,
    verify_range,
)


def is_subtree(start: int, end: int) -> bool:
    """Whether the leaves from ``start`` up to ``end`` are a subtree; an empty range is none."""
    if not 0 <= start < end <= TREE_SIZE_MAX:
        return False
    return start & ((1 << (end - start - 1).bit_length()) - 1) == 0


def subtree_root(get_node: GetNode, start: int, end: int) -> bytes:
    """Root of a subtree, from complete nodes of the tree; ``ValueError`` when it is none."""
    return tree_root(_inside(get_node, start, end), end - start)


def subtree_inclusion_proof(get_node: GetNode, index: int, start: int, end: int) -> list[bytes]:
    """Hashes that lead from leaf ``index`` of the tree to the root of a subtree.

    ``ValueError`` when that is none, or the leaf is not in it.
    """
    return inclusion_proof(_inside(get_node, start, end), index - start, end - start)


def subtree_consistency_proof(get_node: GetNode, start: int, end: int, size: int) -> list[bytes]:
    """Hashes that show a subtree to be part of the tree of ``size`` leaves.

    ``ValueError`` when it is no subtree of that tree.
    """
    _require_subtree(start, end)
    if end > size:
        raise ValueError("the subtree ends past the tree")
    first, node, last, level = start, end - 1, size - 1, 0
    while first != node and (node & 1 or node == last):
        first, node, last, level = first >> 1, node >> 1, last >> 1, level + 1
    known = [] if first == node else [get_node(level, node)]
    return known + path_from(get_node, level, node, size)


def verify_subtree_inclusion(
    leaf_hash: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf_hash`` is leaf ``index`` of the tree, in a subtree with that root.

    Raises ``ProofRefused``.
    """
    if not is_subtree(start, end):
        raise ProofRefused("these leaves are no subtree")
    verify_inclusion(leaf_hash, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check that a subtree with ``root1`` is part of the tree (size, root2).

    An empty range has the empty tree's root in every tree, and no proof. Raises ``ProofRefused``.
    """
    if not 0 <= start <= end <= size <= TREE_SIZE_MAX:
        raise ProofRefused("the subtree is not in the tree")
    if start == end or (start, end) == (0, size):
        _verify_without_proof(proof, root1, EMPTY_ROOT if start == end else root2)
        return
    if not is_subtree(start, end):
        raise ProofRefused("these leaves are no subtree")
    verify_range(start, end, size, proof, root1, root2)


def _verify_without_proof(proof: Sequence[bytes], root: bytes, expected: bytes) -> None:
    if proof:
        raise ProofRefused("nothing and the whole tree need no proof")
    if root != expected:
        raise ProofRefused("the subtree has another root")


def _inside(get_node: GetNode, start: int, end: int) -> GetNode:
    """Nodes of a subtree, counted from its own first leaf."""
    _require_subtree(start, end)
    return lambda level, index: get_node(level, index + (start >> level))


def _require_subtree(start: int, end: int) -> None:
    if not is_subtree(start, end):
        raise ValueError("a subtree begins at a multiple of the power of two that holds it")
