"""Unix socket paths have at most 107 bytes: a short way into a folder whose own path is longer."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from exchange.exits import EnvironmentUnfit
from exchange.private_files import unfit

SOCKET_PATH_BYTES_MAX = 107


def short_way(folder: Path, socket_name: str) -> Path:
    """A path of the folder that is short enough for a socket in it; made when there is none.

    It is a symbolic link in a folder of mode 0700 that is ours alone, the same for every process
    of this user. Raises ``EnvironmentUnfit`` when somebody else has put something there.
    """
    if len(os.fsencode(folder / socket_name)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    link = _link(folder)
    private = link.parent
    try:
        private.mkdir(mode=0o700, exist_ok=True)
        held = private.lstat()
        if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o077:
            raise EnvironmentUnfit(
                f"{private} is not private: remove it, or choose a shorter --dir"
            )
        if not link.is_symlink() or link.readlink() != folder:
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
    except FileExistsError:
        if link.readlink() != folder:
            raise
    except OSError as error:
        raise unfit(link, error) from None
    return link


def forget_short_way(folder: Path) -> None:
    """Remove what ``short_way`` made for a folder, if anything."""
    link = _link(folder)
    if link.is_symlink():
        link.unlink(missing_ok=True)


def _link(folder: Path) -> Path:
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return _runtime_folder() / f"haulproof-{os.geteuid()}" / name


def _runtime_folder() -> Path:
    told = os.environ.get("XDG_RUNTIME_DIR", "")
    for place in (Path(told), Path(tempfile.gettempdir())):
        if place.is_absolute() and place.is_dir() and len(os.fsencode(place)) < 40:
            return place
    return Path("/tmp")  # noqa: S108 - the folder made in it is checked to be ours
