"""Small trees by the definitions of RFC 9162, as slow and as plain as the text."""

from functools import cache
from hashlib import sha256
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"


def leaves(size: int) -> list[bytes]:
    """Leaf hashes of the entries ``leaf 0``, ``leaf 1`` …"""
    return [sha256(b"\x00leaf %d" % index).digest() for index in range(size)]


class Tree:
    """A tree over leaf hashes: MTH by recursion, and the complete nodes of proofs."""

    def __init__(self, leaf_hashes: list[bytes]) -> None:
        self.leaf_hashes = leaf_hashes
        self.fetched: list[tuple[int, int]] = []
        self._range = cache(self._hash)

    def root(self, size: int | None = None) -> bytes:
        return self._range(0, len(self.leaf_hashes) if size is None else size)

    def get_node(self, level: int, index: int) -> bytes:
        self.fetched.append((level, index))
        start, end = index << level, (index + 1) << level
        if end > len(self.leaf_hashes):
            raise AssertionError(f"node {index} of level {level} is not complete")
        return self._range(start, end)

    def _hash(self, start: int, end: int) -> bytes:
        if start == end:
            return sha256(b"").digest()
        if end - start == 1:
            return self.leaf_hashes[start]
        split = 1
        while split * 2 < end - start:
            split *= 2
        left, right = self._range(start, start + split), self._range(start + split, end)
        return sha256(b"\x01" + left + right).digest()
