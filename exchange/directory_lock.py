"""One ``up`` per directory: a lock that its processes inherit, so that it ends with the last."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.directory import Directory
from exchange.exits import EnvironmentUnfit
from exchange.private_files import unfit

_REMNANTS_END_S = 20.0
_LOOK_AGAIN_S = 0.05


@contextmanager
def locked(directory: Directory) -> Iterator[int]:
    """Hold the directory's lock; gives the descriptor that processes of this ``up`` inherit.

    When the ``up`` that took it was killed, its processes are about to end: they are waited for.
    Raises ``EnvironmentUnfit`` when another ``up`` runs, or when they don't end.
    """
    try:
        descriptor = os.open(directory.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unfit(directory.lock, error) from None
    try:
        _take(directory, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(directory: Directory, descriptor: int) -> None:
    deadline = time.monotonic() + _REMNANTS_END_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(descriptor)
        if holder is not None and _holds(holder, directory.lock):
            raise EnvironmentUnfit(
                f"haulproof up (process {holder}) already serves {directory.root}: "
                "end it, or choose another --dir"
            )
        if time.monotonic() > deadline:
            raise EnvironmentUnfit(
                f"processes of an earlier start still work in {directory.root}: "
                f"end process {_named(_holders(directory.lock))}"
            )
        time.sleep(_LOOK_AGAIN_S)


def _holder(descriptor: int) -> int | None:
    held = os.pread(descriptor, 32, 0).strip()
    return int(held) if held.isdigit() else None


def _holders(lock: Path) -> list[int]:
    """Every process that has the lock open, ourselves excepted."""
    pids = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()} - {os.getpid()}
    return sorted(pid for pid in pids if _has_open(pid, lock))


def _named(pids: list[int]) -> str:
    return ", ".join(map(str, pids)) or "whatever runs as another user there"


def _has_open(pid: int, lock: Path) -> bool:
    try:
        return _is_open_in(pid, lock)
    except OSError:
        return False


def _is_open_in(pid: int, lock: Path) -> bool:
    return any(_is_same(entry, lock) for entry in Path(f"/proc/{pid}/fd").iterdir())


def _holds(pid: int, lock: Path) -> bool:
    """Whether the process has the lock open: its id may be a stranger's by now, or a zombie's."""
    try:
        return _is_open_in(pid, lock)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True


def _is_same(descriptor: Path, lock: Path) -> bool:
    try:
        return descriptor.samefile(lock)
    except OSError:
        return False
