"""CPU seconds by part of the exchange, from /proc: where the time of a run went."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12


def cpu_seconds(directory: Path) -> dict[str, float]:
    """User and system time so far of each running part of the exchange in ``directory``.

    Parts: ``nats``, ``postgres`` (all its backends), and the roles of the exchange's processes.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    for words, folder, fields in _processes():
        part = _part_of(words, folder, directory)
        if part is not None:
            spent[part] += _seconds(fields)
    return spent


def _part_of(words: list[str], folder: Path, directory: Path) -> str | None:
    # The servers work in their data folders; their command lines name no path.
    if folder.parent == directory:
        return folder.name
    if str(directory) not in words:
        return None
    if "exchange" in words:
        return words[words.index("exchange") + 1]
    return "supervisor" if "up" in words else None


def _processes() -> Iterator[tuple[list[str], Path, list[str]]]:
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            folder = Path(os.readlink(entry / "cwd"))
            stat = (entry / "stat").read_text()
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
        yield words, folder, stat.rpartition(")")[2].split()


def _seconds(fields: list[str]) -> float:
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S
