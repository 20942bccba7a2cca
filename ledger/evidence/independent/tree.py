"""RFC 9162 section 2.1 from its text: roots from some leaves and the hashes beside them."""

from hashlib import sha256

from ledger.evidence.independent.canonical import Refused

_CODE = "not-in-log"


def check_tree(leaves: dict[int, bytes], size: int, proof: list[bytes], root: bytes) -> None:
    """Check that these leaf hashes are in the tree; ``Refused(not-in-log)`` otherwise.

    First every place beside the leaves' ways is listed, then the hashes are laid there, then the
    root is computed from the top.
    """
    if not leaves or max(leaves) >= size:
        raise Refused(_CODE, "a statement is not in a tree of this size")
    places = _places(sorted(leaves), size)
    if len(places) != len(proof):
        raise Refused(_CODE, "the proof has too few or too many hashes")
    known = dict(zip(places, proof, strict=True))
    known.update({(0, index): value for index, value in leaves.items()})
    height = (size - 1).bit_length()
    if _node(known, height, 0, size) != root:
        raise Refused(_CODE, "the proof leads to another root")


def entry_hash(kind: int, statement: bytes) -> bytes:
    """Leaf hash of a statement: of the CBOR array of its kind and its SHA-256."""
    number = bytes([kind]) if kind < 24 else bytes([0x18, kind])
    entry = b"\x82" + number + b"\x58\x20" + sha256(statement).digest()
    return sha256(b"\x00" + entry).digest()


def _places(indices: list[int], size: int) -> list[tuple[int, int]]:
    places = []
    row = set(indices)
    for level in range((size - 1).bit_length()):
        last = (size - 1) >> level
        beside = {index ^ 1 for index in row} - row
        places += [(level, index) for index in sorted(beside) if index <= last]
        row = {index >> 1 for index in row}
    return places


def _node(known: dict[tuple[int, int], bytes], level: int, index: int, size: int) -> bytes:
    if (level, index) in known:
        return known[level, index]
    left = _node(known, level - 1, 2 * index, size)
    if 2 * index + 1 > (size - 1) >> (level - 1):
        return left
    right = _node(known, level - 1, 2 * index + 1, size)
    return sha256(b"\x01" + left + right).digest()
