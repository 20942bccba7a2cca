"""A tree of any size of which only some leaves are known. Pure.

A complete node without a known leaf below it is a hash of its own place: nobody can tell it from
one over leaves, and ten million of them need not be hashed.
"""

from bisect import bisect_left
from collections.abc import Mapping
from hashlib import sha256

from ledger.merkle import node_hash


class SparseTree:
    """``get_node`` of ``ledger.merkle`` over known leaf hashes by index."""

    def __init__(self, leaf_hashes: Mapping[int, bytes]) -> None:
        self._leaf_hashes = leaf_hashes
        self._indices = sorted(leaf_hashes)
        self._nodes: dict[tuple[int, int], bytes] = {}

    def get_node(self, level: int, index: int) -> bytes:
        """Hash of the complete node ``index`` of a level, 0 being leaves."""
        node = self._nodes.get((level, index))
        if node is None:
            node = self._nodes[level, index] = self._hash(level, index)
        return node

    def _hash(self, level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        place = bisect_left(self._indices, start)
        if place == len(self._indices) or self._indices[place] >= end:
            return sha256(b"unknown %d %d" % (level, index)).digest()
        if level == 0:
            return self._leaf_hashes[index]
        below = level - 1
        return node_hash(self.get_node(below, 2 * index), self.get_node(below, 2 * index + 1))
