"""A log as a plain directory in the layout of C2SP tlog-tiles, which any web server can host.

``checkpoint``, ``tile/<L>/<N>[.p/<W>]`` and ``tile/entries/<N>[.p/<W>]`` lie where their URLs say.
``checkpoint.previous`` is the one before; names that begin with a dot are the writer's own.

What a crash leaves, in the order of writing:

1. files are written aside, some at a time:  nothing; the next writer removes them
2. they are synced, then get their names:    tiles that no checkpoint covers
3. their folders are synced:                 the same
4. partial tiles that have long been full are removed, the checkpoint is replaced: old or new one

A file is never overwritten with other bytes, except the checkpoint. A partial tile stays until its
full tile is covered by the checkpoint before the one that is replaced, so that whoever has just
read a checkpoint finds everything under it.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ledger.checkpoint import Checkpoint, unverified_head
from ledger.merkle import HASH_BYTES
from ledger.note import NOTE_BYTES_MAX, NoteRefused
from ledger.tiles import (
    ENTRY_BYTES_MAX,
    TILE_WIDTH,
    encode_bundle,
    entries_path,
    partial_tiles,
    tile_path,
    width_of,
)
from ledger.verified_tree import NotPublished

CHECKPOINT = "checkpoint"
PREVIOUS = "checkpoint.previous"

_LOCK = ".lock"
_ASIDE = ".unfinished"
_ASIDE_FILES_MAX, _ASIDE_BYTES_MAX = 64, 8_000_000
_SYNCED_AT_ONCE = 16
"""Files that wait for the disk side by side: it makes one write of many."""
_FILE_MODE = 0o644
_ENTRY_LENGTH_BYTES = 2


class TileConflict(Exception):
    """A file is there already, with other bytes than the log has."""

    def __init__(self, place: Path) -> None:
        super().__init__(f"{place} has other bytes than the log, and was left as it is")
        self.place = place


class DirectoryBusy(Exception):
    """Somebody else writes to the directory."""


class TileDirectory:
    """A log in a directory, to be read: a ``PublishedLog``. Raises ``OSError`` besides."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def checkpoint(self) -> bytes:
        """The signed note; ``NotPublished`` before the first."""
        return self._read(CHECKPOINT, NOTE_BYTES_MAX)

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Concatenated hashes; ``NotPublished``."""
        return self._read(tile_path(level, n, width), width * HASH_BYTES)

    def entries(self, n: int, width: int) -> bytes:
        """An entry bundle; ``NotPublished``."""
        longest = width * (_ENTRY_LENGTH_BYTES + ENTRY_BYTES_MAX)
        return self._read(entries_path(n, width), longest)

    def _read(self, path: str, bytes_max: int) -> bytes:
        """At most a byte more than the largest: whoever parses it refuses that."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(bytes_max + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotPublished(path) from None


@contextmanager
def writing(root: Path) -> Iterator["TileDirectoryWriter"]:
    """Open a directory, made when there is none, as its one writer; ``DirectoryBusy``."""
    root.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(root / _LOCK, flags, _FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryBusy(f"{root} is being written to") from None
        with ThreadPoolExecutor(_SYNCED_AT_ONCE) as syncing:
            writer = TileDirectoryWriter(root, syncing)
            try:
                yield writer
            finally:
                writer.close()
    finally:
        os.close(descriptor)


class TileDirectoryWriter(TileDirectory):
    """The same directory for its one writer; made by ``writing``."""

    def __init__(self, root: Path, syncing: Executor) -> None:
        super().__init__(root)
        self._syncing = syncing
        self._aside: dict[str, tuple[int, bytes]] = {}
        """By path, what is written but has no name yet: open file and bytes."""
        self._unsynced: set[Path] = set()
        """Folders in which a name is new, or was left by a writer that may have been killed."""
        (root / _ASIDE).mkdir(exist_ok=True)
        for left_over in (root / _ASIDE).iterdir():
            left_over.unlink()

    def keep_tile(self, level: int, n: int, hashes: bytes) -> None:
        """Write a full or partial tile, durable at ``publish``; ``TileConflict``."""
        self._keep(tile_path(level, n, len(hashes) // HASH_BYTES), hashes)

    def keep_entries(self, n: int, entries: Sequence[bytes]) -> None:
        """Write an entry bundle of 1 to 256 entries, durable at ``publish``; ``TileConflict``."""
        self._keep(entries_path(n, len(entries)), encode_bundle(entries))

    def flush(self) -> None:
        """Sync what is aside and give it its names; what is kept later is apart from it."""
        try:
            descriptors = [descriptor for descriptor, _ in self._aside.values()]
            list(self._syncing.map(os.fsync, descriptors))
            for number, path in enumerate(self._aside):
                place = self.root / path
                self._make_folder(place.parent)
                os.rename(self._place_aside(number), place)
                self._unsynced.add(place.parent)
        finally:
            self.close()

    def publish(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint, once everything under it is kept; durable on return."""
        self.flush()
        self._sync_folders()
        held = self._there(CHECKPOINT, NOTE_BYTES_MAX)
        if held == checkpoint.note:
            return
        if held is not None:
            self._prune(held)
            self._write_aside(PREVIOUS, held)
            self.flush()
        self._write_aside(CHECKPOINT, checkpoint.note)
        self.flush()
        self._sync_folders()

    def close(self) -> None:
        """Forget what has no name yet: after a failure too, so that the caller may try again."""
        for descriptor, _ in self._aside.values():
            os.close(descriptor)
        self._aside.clear()

    def _keep(self, path: str, data: bytes) -> None:
        held = self._aside[path][1] if path in self._aside else self._there(path, len(data))
        if held is None:
            self._write_aside(path, data)
            return
        if held != data:
            raise TileConflict(self.root / path)
        self._unsynced.add((self.root / path).parent)

    def _there(self, path: str, bytes_max: int) -> bytes | None:
        try:
            return self._read(path, bytes_max)
        except NotPublished:
            return None

    def _write_aside(self, path: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._place_aside(len(self._aside)), flags, _FILE_MODE)
        self._aside[path] = descriptor, data
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
        except OSError:
            self.close()
            raise
        aside_bytes = sum(len(held) for _, held in self._aside.values())
        if len(self._aside) >= _ASIDE_FILES_MAX or aside_bytes >= _ASIDE_BYTES_MAX:
            self.flush()

    def _place_aside(self, number: int) -> Path:
        return self.root / _ASIDE / str(number)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folder(folder.parent)
            folder.mkdir()
            self._unsynced.add(folder.parent)

    def _sync_folders(self) -> None:
        list(self._syncing.map(_sync_folder, self._unsynced))
        self._unsynced.clear()

    def _prune(self, held: bytes) -> None:
        """Remove partial tiles of the checkpoint before ``held``, as far as that has them full."""
        try:
            older, _ = unverified_head(self._read(PREVIOUS, NOTE_BYTES_MAX))
        except (NotPublished, NoteRefused):
            return  # nothing is known to be of no use any more
        covered = unverified_head(held)[0].size
        for level, n, _ in partial_tiles(older.size):
            if width_of(level, n, covered) == TILE_WIDTH:
                self._remove_partial(tile_path(level, n))
                if level == 0:
                    self._remove_partial(entries_path(n))

    def _remove_partial(self, full: str) -> None:
        folder = self.root / f"{full}.p"
        if folder.is_dir():
            for partial in folder.iterdir():
                partial.unlink()
            folder.rmdir()
            self._unsynced.discard(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
