"""The fence: the last signed checkpoint, kept outside the database, moved by compare-and-swap.

Trusted, and must never be rolled back; lost, it is rebuilt by the operator, never silently. The
signer moves it after signing and before anybody sees the signature, so that two signers, or one
after a restore, cannot publish two histories.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

FENCE_BYTES_MAX = 1_000_000


class FenceMoved(Exception):
    """The fence does not hold what the caller expected: somebody else has signed."""


class FenceUncertain(Exception):
    """The swap may or may not have happened: stop, read the fence, start from what it holds."""


class Fence(Protocol):
    """The port: one value, durable when a call returns."""

    def read(self) -> bytes | None:
        """The value, durable; ``None`` when none was ever set. Raises ``OSError``."""

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        """Set ``new`` if the value is ``expected`` (``None``: never set); durable on return.

        Raises ``FenceMoved`` and ``OSError`` with the value as it was, ``FenceUncertain`` when it
        is one of the two.
        """


class FileFence:
    """The fence as a file on one host: a lock beside it, whole-file replacement, fsync of both.

    A crash leaves the old value or the new one; a left-over ``.new`` file is never read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(path.name + ".new")
        self._lock = path.with_name(path.name + ".lock")

    def read(self) -> bytes | None:
        """The value, durable; ``None`` when none was ever set. Raises ``OSError``.

        It is synced before it is believed: after a swap whose answer was lost, the file that is
        seen may not be on the disk yet.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            os.fsync(file.fileno())
            value = file.read(FENCE_BYTES_MAX + 1)
        if len(value) > FENCE_BYTES_MAX:
            raise OSError(f"the fence file {self._path.name} is too large to be one")
        self._sync_directory()
        return value

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        """Set ``new`` if the value is ``expected``; see ``Fence``."""
        replacing = False
        try:
            with self._locked():
                if self.read() != expected:
                    raise FenceMoved("the fence holds another checkpoint")
                self._write_new(new)
                replacing = True
                os.rename(self._new, self._path)
                self._sync_directory()
        except OSError as error:
            if replacing:
                raise FenceUncertain(f"replacing the fence failed: {error}") from error
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write_new(self, new: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(self._new, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())

    def _sync_directory(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
