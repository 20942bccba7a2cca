"""CPU seconds by part of the exchange, from /proc: where the time of a run went."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME, _PPID = 11, 12, 1


def cpu_seconds(directory: Path) -> dict[str, float]:
    """User and system time so far of each part whose command line or data lies in ``directory``.

    Parts: ``nats``, ``postgres`` (all its backends), and the roles of the exchange's processes.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    postmasters: set[int] = set()
    rest: list[tuple[int, list[str]]] = []
    for pid, words, fields in _processes():
        part = _part_of(words, str(directory))
        if part is None:
            rest.append((pid, fields))
            continue
        spent[part] += _seconds(fields)
        if part == "postgres":
            postmasters.add(pid)
    for _, fields in rest:
        if int(fields[_PPID]) in postmasters:
            spent["postgres"] += _seconds(fields)
    return spent


def _part_of(words: list[str], directory: str) -> str | None:
    if not any(word.startswith(directory) for word in words):
        return None
    program = Path(words[0]).name
    if program == "nats-server":
        return "nats"
    if program == "postgres":
        return "postgres"
    if "exchange" in words:
        return words[words.index("exchange") + 1]
    return "supervisor" if "up" in words else None


def _processes() -> Iterator[tuple[int, list[str], list[str]]]:
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            stat = (entry / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        yield int(entry.name), words, stat.rpartition(")")[2].split()


def _seconds(fields: list[str]) -> float:
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S
