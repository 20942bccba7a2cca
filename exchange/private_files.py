"""Files and folders that only their owner may read, written so that a crash leaves old or new."""

import errno
import os
import pwd
from pathlib import Path

from exchange.exits import EnvironmentUnfit

UNFINISHED_SUFFIX = ".unfinished"


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700 unless it is there; ``EnvironmentUnfit`` when it can't be."""
    try:
        os.mkdir(path, 0o700)
        _sync_folder(path.parent)
    except FileExistsError:
        if not path.is_dir():
            raise EnvironmentUnfit(
                f"{path} is in the way: move it, a folder belongs there"
            ) from None
    except OSError as error:
        raise unfit(path, error) from None


def check_owner(path: Path) -> None:
    """``EnvironmentUnfit`` when a folder is another user's.

    Root could write everywhere, and what it wrote would lock out the folder's own user.
    """
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise unfit(path, error) from None
    if owner != os.geteuid():
        raise EnvironmentUnfit(
            f"{path} belongs to another user ({_name_of(owner)}): start as that user, "
            "or choose another --dir"
        )


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file whole: written aside, synced, renamed; a crash leaves the old one or this.

    Raises ``EnvironmentUnfit`` when the disk is full or the folder may not be written.
    """
    unfinished = path.with_name(path.name + UNFINISHED_SUFFIX)
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unfit(path, error) from None


def unfit(path: Path, error: OSError) -> EnvironmentUnfit:
    """The sentence for an ``OSError`` on a path of the exchange's directory."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentUnfit(f"the disk under {path} is full: free some space and start again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return EnvironmentUnfit(
            f"no permission for {path}: start as the user that owns it, or choose another --dir"
        )
    if error.errno == errno.EROFS:
        return EnvironmentUnfit(f"{path} is on a read-only disk: choose another --dir")
    return EnvironmentUnfit(f"{path} cannot be used ({os.strerror(error.errno or 0)})")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
