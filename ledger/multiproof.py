"""One proof for many leaves: the siblings that a reader of those leaves cannot compute.

Order (DESIGN section 3.2, acknowledgements and evidence alike): level by level from the leaves,
within a level from left to right; a last node without sibling rises unchanged.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ledger.merkle import (
    HASH_BYTES,
    TREE_SIZE_MAX,
    GetNode,
    ProofRefused,
    node_at,
    node_hash,
    right_edge,
)

_Nodes = tuple[int, ...]


def multiproof(get_node: GetNode, indices: Sequence[int], size: int) -> list[bytes]:
    """The proof for leaves ``indices`` (ascending, at least one) in the tree of ``size`` leaves.

    ``ValueError`` when the indices are not strictly ascending or not in the tree.
    """
    return split_multiproofs(get_node, [indices], size)[0]


def split_multiproofs(
    get_node: GetNode, groups: Sequence[Sequence[int]], size: int
) -> list[list[bytes]]:
    """One proof per group of indices, every node fetched once however many proofs hold it.

    Groups that have met at the same nodes share the rest of their way, so that the proofs of a
    batch of neighbouring leaves cost little more than one. ``ValueError`` as for ``multiproof``.
    """
    for indices in groups:
        _check_indices(indices, size)
    starts = [tuple(indices) for indices in groups]
    siblings = _Siblings(get_node, size)
    proofs = _proofs_from(siblings, 0, set(starts))
    return [list(proofs[start]) for start in starts]


def verify_multiproof(
    leaf_hashes: Mapping[int, bytes] | Iterable[tuple[int, bytes]],
    size: int,
    hashes: Sequence[bytes],
    root: bytes,
) -> None:
    """Check that every ``index: leaf hash`` is in the tree (size, root).

    Refused with ``ProofRefused``: no leaf, an index repeated, out of order or out of range, a hash
    missing or left over, another root.
    """
    pairs = leaf_hashes.items() if isinstance(leaf_hashes, Mapping) else leaf_hashes
    row = list(pairs)
    _check_row(row, size, hashes)
    taken = 0
    width = size
    while width > 1:
        row, taken = _parents(row, width, hashes, taken)
        width = (width + 1) >> 1
    if taken != len(hashes):
        raise ProofRefused("hashes are left over")
    if row[0][1] != root:
        raise ProofRefused("the proof leads to another root")


def _parents(
    row: list[tuple[int, bytes]], width: int, hashes: Sequence[bytes], taken: int
) -> tuple[list[tuple[int, bytes]], int]:
    parents: list[tuple[int, bytes]] = []
    position, count, available = 0, len(row), len(hashes)
    while position < count:
        index, value = row[position]
        position += 1
        sibling = index ^ 1
        if position < count and row[position][0] == sibling:
            value = node_hash(value, row[position][1])
            position += 1
        elif sibling < width:
            if taken == available:
                raise ProofRefused("a hash is missing")
            other = hashes[taken]
            taken += 1
            value = node_hash(other, value) if index & 1 else node_hash(value, other)
        parents.append((index >> 1, value))
    return parents, taken


def _check_row(row: Sequence[tuple[int, bytes]], size: int, hashes: Sequence[bytes]) -> None:
    if not row:
        raise ProofRefused("no leaf to prove")
    previous = -1
    for index, value in row:
        if index <= previous:
            raise ProofRefused("indices are not strictly ascending")
        if len(value) != HASH_BYTES:
            raise ProofRefused("a leaf hash is not 32 bytes")
        previous = index
    if not previous < size <= TREE_SIZE_MAX:
        raise ProofRefused("an index is not in the tree")
    if any(len(item) != HASH_BYTES for item in hashes):
        raise ProofRefused("a hash is not 32 bytes")


def _check_indices(indices: Sequence[int], size: int) -> None:
    if not indices or indices[0] < 0 or indices[-1] >= size:
        raise ValueError("indices are not in the tree")
    if any(after <= before for before, after in pairwise(indices)):
        raise ValueError("indices are not strictly ascending")


class _Siblings:
    """Nodes of one tree, each fetched once."""

    def __init__(self, get_node: GetNode, size: int) -> None:
        self.size = size
        self.edge = right_edge(get_node, size)
        self._get_node = get_node
        self._known: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        known = self._known.get((level, index))
        if known is None:
            known = node_at(self._get_node, self.edge, level, index, self.size)
            self._known[level, index] = known
        return known

    def step(self, level: int, nodes: _Nodes) -> tuple[list[bytes], _Nodes]:
        """Missing siblings of a row of nodes, and the row above it."""
        last = (self.size - 1) >> level
        missing: list[bytes] = []
        parents: list[int] = []
        position, count = 0, len(nodes)
        while position < count:
            index = nodes[position]
            position += 1
            sibling = index ^ 1
            if position < count and nodes[position] == sibling:
                position += 1
            elif sibling <= last:
                missing.append(self.node(level, sibling))
            parents.append(index >> 1)
        return missing, tuple(parents)


def _proofs_from(siblings: _Siblings, level: int, rows: set[_Nodes]) -> dict[_Nodes, list[bytes]]:
    if level == len(siblings.edge) - 1:
        return {row: [] for row in rows}
    steps = {row: siblings.step(level, row) for row in rows}
    above = _proofs_from(siblings, level + 1, {parents for _, parents in steps.values()})
    return {row: missing + above[parents] for row, (missing, parents) in steps.items()}
