"""Merkle tree arithmetic of RFC 9162 section 2.1 (SHA-256), on bytes and integers only.

Proofs are made from *complete* nodes: ``get_node(level, index)`` gives the 32-byte hash of the
perfect subtree over leaves ``index * 2**level`` up to ``(index + 1) * 2**level``, level 0 being
leaf hashes. Hashes on the right edge of a tree that is no power of two are computed from those.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
TREE_SIZE_MAX = 2**63 - 1
EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves."""

GetNode = Callable[[int, int], bytes]


class ProofRefused(ValueError):
    """A proof that does not show what it is claimed to show, or cannot show anything."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of ``00`` and the entry's bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of ``01`` and its two children."""
    return sha256(b"\x01" + left + right).digest()


def fold_level(hashes: bytes) -> bytes:
    """Parents of a row of nodes, both as concatenated hashes; a last one without sibling rises."""
    hash_of = sha256
    pairs_end = len(hashes) & ~63
    parents = [
        hash_of(b"\x01" + hashes[start : start + 64]).digest() for start in range(0, pairs_end, 64)
    ]
    parents.append(hashes[pairs_end:])
    return b"".join(parents)


def fold(hashes: bytes) -> bytes:
    """Root over a row of concatenated nodes of one level; at least one."""
    while len(hashes) > HASH_BYTES:
        hashes = fold_level(hashes)
    return hashes


def root_from_leaf_hashes(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root of the tree over these leaf hashes (``EMPTY_ROOT`` when there are none)."""
    return fold(b"".join(leaf_hashes)) if leaf_hashes else EMPTY_ROOT


def right_edge(get_node: GetNode, size: int) -> list[bytes | None]:
    """Per level, the hash of the last node where that one is incomplete, else ``None``.

    The list has one item for each level from the leaves to the root, so its last index is the
    root's level.
    """
    edge: list[bytes | None] = [None]
    for level in range(max(size - 1, 0).bit_length()):
        below = edge[level]
        if not (size >> level) & 1:
            edge.append(below)
            continue
        complete = get_node(level, (size >> level) - 1)
        edge.append(complete if below is None else node_hash(complete, below))
    return edge


def tree_root(get_node: GetNode, size: int) -> bytes:
    """Root of the tree's first ``size`` leaves."""
    if size == 0:
        return EMPTY_ROOT
    edge = right_edge(get_node, size)
    incomplete = edge[-1]
    return get_node(len(edge) - 1, 0) if incomplete is None else incomplete


def node_at(
    get_node: GetNode, edge: Sequence[bytes | None], level: int, index: int, size: int
) -> bytes:
    """Any node of the tree of ``size`` leaves, complete or on its right edge."""
    if (index + 1) << level <= size:
        return get_node(level, index)
    incomplete = edge[level]
    if incomplete is None:
        raise ValueError("no such node in a tree of this size")
    return incomplete


def inclusion_proof(get_node: GetNode, index: int, size: int) -> list[bytes]:
    """Hashes that lead from leaf ``index`` to the root of ``size`` leaves, its sibling first.

    ``ValueError`` unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError("the index is not in the tree")
    return path_from(get_node, 0, index, size)


def consistency_proof(get_node: GetNode, size1: int, size2: int) -> list[bytes]:
    """Hashes that show the tree of ``size1`` leaves to be a prefix of that of ``size2``.

    Empty for equal sizes and for ``size1 == 0``, as in C2SP tlog-witness. ``ValueError`` when
    ``size1 > size2``.
    """
    if not 0 <= size1 <= size2:
        raise ValueError("the older tree is the smaller one")
    if size1 in (0, size2):
        return []
    level = (size1 & -size1).bit_length() - 1
    index = (size1 >> level) - 1
    start = [] if index == 0 else [get_node(level, index)]
    return start + path_from(get_node, level, index, size2)


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf_hash`` is leaf ``index`` of the tree (RFC 9162 section 2.1.3.2).

    Raises ``ProofRefused``.
    """
    _check_lengths(root)
    if inclusion_root(leaf_hash, index, size, proof) != root:
        raise ProofRefused("the proof leads to another root")


def inclusion_root(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root to which the proof leads from leaf ``index``; ``ProofRefused`` if to none.

    For readers who know the root by its signature alone. The root says nothing of ``size``: one
    proof may lead to one root from several.
    """
    if not 0 <= index < size <= TREE_SIZE_MAX:
        raise ProofRefused("the index is not in the tree")
    _check_lengths(leaf_hash, *proof)
    node, last, reached = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the proof is longer than the tree is high")
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofRefused("the proof ends below the root")
    return reached


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """Check that the tree (size1, root1) is a prefix of (size2, root2) (RFC 9162 section 2.1.4.2).

    The empty tree is a prefix of every tree, which is no statement about ``root2``: ``size1 == 0``
    with a larger ``size2`` is refused here, and callers that start from nothing say so themselves.
    Raises ``ProofRefused``.
    """
    _check_sizes(size1, size2)
    if size1 == size2:
        _verify_same(size1, proof, root1, root2)
        return
    _check_lengths(root2)
    if consistency_root(size1, size2, proof, root1) != root2:
        raise ProofRefused("the proof leads to another newer root")


def consistency_root(size1: int, size2: int, proof: Sequence[bytes], root1: bytes) -> bytes:
    """The newer root to which the proof leads from the older tree, the smaller of the two.

    For readers who know the newer root by its signature alone; ``ProofRefused`` if to none.
    """
    _check_sizes(size1, size2)
    if size1 == 0:
        raise ProofRefused("nothing can be shown from the empty tree")
    if size1 == size2:
        raise ProofRefused("trees of one size need no proof")
    return range_proof_root(0, size1, size2, proof, root1)


def verify_range(
    start: int, end: int, size: int, proof: Sequence[bytes], range_root: bytes, root: bytes
) -> None:
    """Check that leaves ``start`` up to ``end`` hash to ``range_root`` in the tree (size, root).

    What ``ledger.subtree`` needs of a consistency proof; it checks the bounds,
    ``0 <= start < end <= size``. Raises ``ProofRefused``.
    """
    _check_lengths(root)
    if range_proof_root(start, end, size, proof, range_root) != root:
        raise ProofRefused("the proof leads to another root of the tree")


def range_proof_root(
    start: int, end: int, size: int, proof: Sequence[bytes], range_root: bytes
) -> bytes:
    """The root of ``size`` leaves to which the proof leads from leaves ``start`` up to ``end``."""
    _check_lengths(range_root, *proof)
    first, node, last = start, end - 1, size - 1
    while first != node and (node & 1 or node == last):
        first, node, last = first >> 1, node >> 1, last >> 1
    path = [range_root, *proof] if first == node else list(proof)
    if not path:
        raise ProofRefused("the proof is empty")
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofRefused("the proof is longer than the tree is high")
        if node & 1 or node == last:
            old = node_hash(sibling, old) if first < node else old
            new = node_hash(sibling, new)
            while not node & 1 and node:
                first, node, last = first >> 1, node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        first, node, last = first >> 1, node >> 1, last >> 1
    if last:
        raise ProofRefused("the proof ends below the root")
    if old != range_root:
        raise ProofRefused("the proof leads to another older root, or root of the subtree")
    return new


def _check_sizes(size1: int, size2: int) -> None:
    if not 0 <= size1 <= size2 <= TREE_SIZE_MAX:
        raise ProofRefused("the older tree is larger than the newer one")


def _verify_same(size: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    if proof:
        raise ProofRefused("trees of one size need no proof")
    if root1 != root2:
        raise ProofRefused("two roots of one size")
    if size == 0 and root1 != EMPTY_ROOT:
        raise ProofRefused("not the root of the empty tree")


def path_from(get_node: GetNode, level: int, index: int, size: int) -> list[bytes]:
    """Siblings on the way from a node of the tree of ``size`` leaves to its root."""
    edge = right_edge(get_node, size)
    path = []
    for height in range(level, len(edge) - 1):
        sibling = index ^ 1
        if sibling << height < size:
            path.append(node_at(get_node, edge, height, sibling, size))
        index >>= 1
    return path


def _check_lengths(*hashes: bytes) -> None:
    if any(len(item) != HASH_BYTES for item in hashes):
        raise ProofRefused("a hash is not 32 bytes")
