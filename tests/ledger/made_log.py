"""A log in memory that tests may grow, sign, fork and damage: files by their path."""

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import Checkpoint, TreeHead, open_checkpoint, sign_checkpoint
from ledger.merkle import HASH_BYTES
from ledger.note import Ed25519NoteSigner
from ledger.tiles import TILE_WIDTH, append, encode_bundle, entries_path, tile_path
from ledger.verified_tree import NotPublished

ORIGIN = "example.org/log"


class MadeLog:
    """A ``PublishedLog``. ``files`` is all that it has, and may be changed by a test."""

    def __init__(self, signer: Ed25519NoteSigner | None = None, salt: str = "leaf") -> None:
        self.signer = signer or Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._leaves: list[bytes] = []
        self._salt = salt

    @property
    def vkey(self) -> str:
        return str(self.signer.vkey)

    def forked_at(self, size: int) -> "MadeLog":
        """Another history of the same key, equal up to ``size`` leaves."""
        other = MadeLog(self.signer, "other")
        other._leaves = self._leaves[:size]
        return other

    def publish(self, size: int) -> Checkpoint:
        """Sign ``size`` leaves, growing if need be: tiles of this size are added to the files."""
        for index in range(len(self._leaves), size):
            self._leaves.append(f"{self._salt} {index}".encode())
        hashes = [sha256(b"\0" + leaf).digest() for leaf in self._leaves[:size]]
        made = append(0, {}, hashes)
        for (level, n), tile in made.changed.items():
            self.files[tile_path(level, n, len(tile) // HASH_BYTES)] = tile
        for first in range(0, size, TILE_WIDTH):
            bundle = self._leaves[first : min(first + TILE_WIDTH, size)]
            self.files[entries_path(first // TILE_WIDTH, len(bundle))] = encode_bundle(bundle)
        note = sign_checkpoint(TreeHead(ORIGIN, size, made.root), self.signer)
        self.files["checkpoint"] = note
        return open_checkpoint(note, self.signer.vkey)

    def checkpoint(self) -> bytes:
        return self._file("checkpoint")

    def tile(self, level: int, n: int, width: int) -> bytes:
        return self._file(tile_path(level, n, width))

    def entries(self, n: int, width: int) -> bytes:
        return self._file(entries_path(n, width))

    def write_to(self, root: Path) -> None:
        """The same files on a disk, as somebody else's program would have put them there."""
        for path, data in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)

    def _file(self, path: str) -> bytes:
        self.asked.append(path)
        if path not in self.files:
            raise NotPublished(path)
        return self.files[path]
