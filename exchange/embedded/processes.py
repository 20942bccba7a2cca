"""Server processes in a folder: starting one, finding those that a killed run left, ending them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from exchange.exits import EnvironmentUnfit
from exchange.private_files import unfit

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LOG_BYTES_MAX = 10_000_000
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as when we are root."""

    uid: int
    gid: int


def start_server(
    program: Path,
    arguments: Sequence[str],
    *,
    folder: Path,
    log: Path,
    end_signal: signal.Signals,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a folder, in a session of its own; ``end_signal`` ends it with us.

    To be called from the main thread, whose end is what the kernel watches.
    """
    user = (str(account.uid), str(account.gid)) if account else ("-", "-")
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(int(end_signal)), *user]
    with open_log(log) as output:
        return subprocess.Popen(
            [*command, str(program), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=server_environment(),
        )


def server_environment() -> dict[str, str]:
    """A server's environment: none of ours, and one language for its messages."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def open_log(path: Path) -> BinaryIO:
    """A log file (mode 0600) to append to; one of more than 10 MB is set aside as ``.1`` first."""
    try:
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(path.with_name(path.name + ".1"))
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        raise unfit(path, error) from None


def last_words(log: Path, offset: int, signs: Sequence[str]) -> str:
    """The last line with one of the signs that was logged after an offset, and where to read on."""
    with log.open("rb") as file:
        file.seek(offset if offset <= log.stat().st_size else 0)
        lines = file.read(_LOG_BYTES_MAX).decode(errors="replace").splitlines()
    told = [line.strip() for line in lines if any(sign in line for sign in signs)]
    return f"{told[-1][-200:]} ({log})" if told else f"see {log}"


def left_behind(folder: Path, program: str) -> list[int]:
    """Process ids of a program whose working folder this is; oldest ancestor first.

    A process id in a file may have been given to a stranger since; the folder that a process works
    in can't be mistaken.
    """
    try:
        place = folder.stat()
    except FileNotFoundError:
        return []
    parents = {
        pid: _parent(pid)
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if _works_in(pid, place) and _program(pid) == program
    }
    return sorted(parents, key=lambda pid: parents[pid] in parents)


def end_left_behind(folder: Path, program: str, signals: Sequence[signal.Signals]) -> bool:
    """End what ``left_behind`` finds with one signal after the other, ten seconds each.

    Returns whether there was anything; raises ``EnvironmentUnfit`` when something stays.
    """
    found = left_behind(folder, program)
    if not found:
        return False
    for number in signals:
        for pid in found[:1]:
            _send(pid, number)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = left_behind(folder, program)
            if not found:
                return True
            time.sleep(_LOOK_AGAIN_S)
    raise EnvironmentUnfit(
        f"{program} (process {found[0]}) of an earlier start does not end: end it and start again"
    )


def end(process: subprocess.Popen[bytes], signals: Sequence[signal.Signals], each_s: float) -> None:
    """End a child with one signal after the other; the last should be SIGKILL."""
    for number in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(each_s)
        except subprocess.TimeoutExpired:
            continue


def _works_in(pid: int, place: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/cwd"), place)
    except OSError:
        return False


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(status.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise EnvironmentUnfit(
            f"process {pid} of an earlier start belongs to another user: end it and start again"
        ) from None
