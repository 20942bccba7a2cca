"""A published log, believed no further than its signed checkpoint reaches.

Each tile is held against its hash in the tile above it, up to the right edge, whose root the
checkpoint signs; each entry against its leaf hash. So it does not matter who serves them: the
exchange, a mirror, a web server that may be damaged or lie. Memory does not grow with the log.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from ledger.checkpoint import Checkpoint
from ledger.merkle import HASH_BYTES, consistency_proof, fold, leaf_hash
from ledger.tiles import (
    TILE_WIDTH,
    TileReader,
    decode_bundle,
    edge_tiles,
    entries_path,
    partial_tiles,
    root_of_edge,
    tile_path,
    width_of,
)


class PublishedLog(Protocol):
    """A log as C2SP tlog-tiles publishes it, wherever it lies. Nothing it gives is believed."""

    def checkpoint(self) -> bytes:
        """The newest signed note; ``NotPublished`` before the first."""

    def tile(self, level: int, n: int, width: int) -> bytes:
        """The bytes at ``tile_path(level, n, width)``; ``NotPublished``."""

    def entries(self, n: int, width: int) -> bytes:
        """The bytes at ``entries_path(n, width)``; ``NotPublished``."""


class NotPublished(Exception):
    """The log has nothing at this path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not there")
        self.path = path


class LogUnsound(Exception):
    """What is published at ``path`` is not what the signed checkpoint says."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path} {detail}")
        self.path = path


class LogForked(Exception):
    """The log's key has signed two checkpoints that no one log can have.

    ``proof`` shows (``ledger.merkle.verify_consistency``) that the newer tree begins with a tree
    of the older one's size and the root ``prefix_root``, which is not the older one's.
    """

    def __init__(
        self, older: Checkpoint, newer: Checkpoint, prefix_root: bytes, proof: Sequence[bytes]
    ) -> None:
        super().__init__(
            f"the log has signed two histories: its checkpoint of {newer.head.size} leaves does "
            f"not continue the one of {older.head.size}"
        )
        self.older = older
        self.newer = newer
        self.prefix_root = prefix_root
        self.proof = tuple(proof)


class VerifiedTree:
    """The tree under one signed checkpoint, read from a published log and verified as it is read.

    Making one reads the right edge. Every method raises ``NotPublished`` and ``LogUnsound``, and
    whatever the log itself raises. Tiles are best asked for from left to right: of each level the
    last one is kept.
    """

    def __init__(self, log: PublishedLog, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._log = log
        self._last: dict[int, tuple[int, bytes]] = {}
        self._edge = {
            level: (n, self._published(level, n, width))
            for level, n, width in partial_tiles(self.size)
        }
        if root_of_edge({level: tile for level, (_, tile) in self._edge.items()}) != self._root:
            raise LogUnsound(
                "checkpoint", f"of {self.size} leaves is not signed over the tiles that are there"
            )

    @property
    def size(self) -> int:
        """Leaves of the tree."""
        return self.checkpoint.head.size

    @property
    def _root(self) -> bytes:
        return self.checkpoint.head.root

    def tile(self, level: int, n: int) -> bytes:
        """A tile of this tree, as many hashes as this tree has of it; ``ValueError`` for none."""
        if width_of(level, n, self.size) == 0:
            raise ValueError("the tree has no such tile")
        for place, tile in (self._edge.get(level, (-1, b"")), self._last.get(level, (-1, b""))):
            if place == n:
                return tile
        start = (n % TILE_WIDTH) * HASH_BYTES
        wanted = self.tile(level + 1, n // TILE_WIDTH)[start : start + HASH_BYTES]
        tile = self._published(level, n, TILE_WIDTH)
        if fold(tile) != wanted:
            raise LogUnsound(tile_path(level, n), "does not have the hash that the tile above says")
        self._last[level] = (n, tile)
        return tile

    def entries(self, n: int) -> list[bytes]:
        """The entries of bundle ``n``, 256 of them or as many as this tree has."""
        hashes = self.tile(0, n)
        width = len(hashes) // HASH_BYTES
        path = entries_path(n, width)
        bundle, got = _or_full(lambda wanted: self._log.entries(n, wanted), width, path)
        try:
            entries = decode_bundle(bundle)
        except ValueError as error:
            raise LogUnsound(path, f"is no entry bundle: {error}") from None
        if len(entries) != got:
            raise LogUnsound(path, f"has {len(entries)} entries, not {got}")
        for place, entry in enumerate(entries[:width]):
            start = place * HASH_BYTES
            if leaf_hash(entry) != hashes[start : start + HASH_BYTES]:
                raise LogUnsound(path, f"has another entry {n * TILE_WIDTH + place} than the tree")
        return entries[:width]

    def root_at(self, size: int) -> bytes:
        """Root of the first ``size`` leaves, at most all."""
        return root_of_edge(edge_tiles(self.tile, size))

    def check_continues(self, older: Checkpoint) -> None:
        """Check that this tree begins with the older one; ``LogForked`` when it does not."""
        prefix_root = self.root_at(older.head.size)
        if prefix_root == older.head.root:
            return
        proof = consistency_proof(TileReader(self.tile), older.head.size, self.size)
        raise LogForked(older, self.checkpoint, prefix_root, proof)

    def _published(self, level: int, n: int, width: int) -> bytes:
        tile, got = _or_full(
            lambda wanted: self._log.tile(level, n, wanted), width, tile_path(level, n, width)
        )
        if len(tile) != got * HASH_BYTES:
            raise LogUnsound(
                tile_path(level, n, got), f"has {len(tile)} bytes, not {got * HASH_BYTES}"
            )
        return tile[: width * HASH_BYTES]


def tree_if_newer(
    log: PublishedLog, known: Checkpoint | None, seen: Checkpoint
) -> VerifiedTree | None:
    """The tree under ``seen``, shown to continue ``known``; ``None`` when there is nothing new.

    Both are of one log. An older checkpoint than the known one is nothing new as long as the known
    tree begins with it, which is read from the log as well. Raises ``LogForked``, ``LogUnsound``,
    ``NotPublished``.
    """
    if known is None:
        return VerifiedTree(log, seen)
    if seen.head == known.head:
        return None
    if seen.head.size == known.head.size:
        raise LogForked(known, seen, seen.head.root, ())
    if seen.head.size < known.head.size:
        VerifiedTree(log, known).check_continues(seen)
        return None
    tree = VerifiedTree(log, seen)
    tree.check_continues(known)
    return tree


def _or_full(get: Callable[[int], bytes], width: int, path: str) -> tuple[bytes, int]:
    """What is at a width, or all of it where the partial one was deleted since; and the width."""
    try:
        return get(width), width
    except NotPublished:
        if width == TILE_WIDTH:
            raise
    try:
        return get(TILE_WIDTH), TILE_WIDTH
    except NotPublished:
        raise NotPublished(path) from None
