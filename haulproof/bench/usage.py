"""CPU time and memory by part of the exchange, from /proc: where a run went, and what it kept.

Parts: ``nats``, ``postgres`` (all its backends), and the roles of the exchange's processes.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_UTIME, _STIME, _RSS = 11, 12, 21
_SERVERS = ("nats", "postgres")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    part: str
    cpu_s: float
    resident_bytes: int


def cpu_seconds(directory: Path) -> dict[str, float]:
    """User and system time so far of each running part of the exchange in ``directory``."""
    spent: defaultdict[str, float] = defaultdict(float)
    for process in _processes(directory):
        spent[process.part] += process.cpu_s
    return spent


def resident_mb(directory: Path) -> dict[str, float]:
    """Resident MB (10^6 bytes) of the exchange's own processes, those of a role together.

    PostgreSQL is left out: its backends share most of what each seems to hold.
    """
    held: defaultdict[str, float] = defaultdict(float)
    for process in _processes(directory):
        if process.part != "postgres":
            held[process.part] += process.resident_bytes / 1e6
    return {part: round(mb, 1) for part, mb in sorted(held.items())}


@contextmanager
def servers_alone(directory: Path) -> Iterator[None]:
    """Hold still whatever of the exchange is no server, so that a bare part is measured bare."""
    held = [one.pid for one in _processes(directory) if one.part not in _SERVERS]
    _send(held, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(held, signal.SIGCONT)


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _processes(directory: Path) -> Iterator[_Process]:
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            folder = Path(os.readlink(entry / "cwd"))
            stat = (entry / "stat").read_text()
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
        part = _part_of(words, folder, directory)
        if part is not None:
            fields = stat.rpartition(")")[2].split()
            cpu_s = (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S
            yield _Process(int(entry.name), part, cpu_s, int(fields[_RSS]) * _PAGE_BYTES)


def _part_of(words: list[str], folder: Path, directory: Path) -> str | None:
    # The servers work in their data folders; their command lines name no path.
    if folder.parent == directory:
        return folder.name
    if str(directory) not in words:
        return None
    if "exchange" in words:
        return words[words.index("exchange") + 1]
    return "supervisor" if "up" in words else None
