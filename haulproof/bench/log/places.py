"""Where in a log proofs are asked for, and what its leaves are. The same seed, the same places."""

import random
from collections.abc import Sequence

from ledger.leaf import leaf_entry
from schemas.kinds import Kind

_SEED = 0x686170


def historic_places(size: int, count: int) -> list[tuple[int, int]]:
    """``count`` times a leaf's index and a size of the tree in which it was there already."""
    chance = random.Random(_SEED)  # noqa: S311 - places, not secrets
    sizes = [chance.randint(1, size) for _ in range(count)]
    return [(chance.randrange(each), each) for each in sizes]


def random_digests(count: int) -> list[bytes]:
    """Digests of statements that nobody made."""
    row = random.Random(_SEED).randbytes(32 * count)  # noqa: S311 - as above
    return [row[start : start + 32] for start in range(0, len(row), 32)]


def entries_of(digests: Sequence[bytes]) -> list[bytes]:
    """The log's entries of segments with these digests."""
    return [leaf_entry(Kind.SEGMENT, digest) for digest in digests]
