"""Small trees by the definitions of RFC 9162, as slow and as plain as the text."""

from functools import cache
from hashlib import sha256
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"


def leaves(size: int) -> list[bytes]:
    """Leaf hashes of the entries ``leaf 0``, ``leaf 1`` …"""
    return [sha256(b"\x00leaf %d" % index).digest() for index in range(size)]


def path_shape(index: int, size: int) -> str:
    """Sides, ``l`` or ``r``, on which the hashes of an inclusion proof stand (section 2.1.3.1)."""
    if size == 1:
        return ""
    split = _split(size)
    if index < split:
        return path_shape(index, split) + "r"
    return path_shape(index - split, size - split) + "l"


def prefix_shape(size1: int, size2: int, *, whole: bool = True) -> str:
    """The same of a consistency proof, after what it begins with: the older root, or a hash."""
    if size1 == size2:
        return "root " if whole else "hash "
    split = _split(size2)
    if size1 <= split:
        return prefix_shape(size1, split, whole=whole) + "r"
    return prefix_shape(size1 - split, size2 - split, whole=False) + "l"


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


class Tree:
    """A tree over leaf hashes: MTH by recursion, and the complete nodes of proofs."""

    def __init__(self, leaf_hashes: list[bytes]) -> None:
        self.leaf_hashes = leaf_hashes
        self.fetched: list[tuple[int, int]] = []
        self._range = cache(self._hash)

    def root(self, size: int | None = None) -> bytes:
        return self._range(0, len(self.leaf_hashes) if size is None else size)

    def root_of(self, start: int, end: int) -> bytes:
        """Root of the leaves from ``start`` up to ``end`` as a tree of their own."""
        return self._range(start, end)

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
        split = _split(end - start)
        left, right = self._range(start, start + split), self._range(start + split, end)
        return sha256(b"\x01" + left + right).digest()
