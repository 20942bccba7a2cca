"""Shells as a person has them: one in front, others in the background, all in one folder."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")


class Background:
    """A command in a shell of its own; its output is read as it comes."""

    def __init__(self, command: str, folder: Path) -> None:
        self._command = command
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.interrupt()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def value(self, name: str, *, deadline_s: float = 120) -> str:
        """What it prints after this name, as soon as it does."""
        found = wait_for(lambda: self._value(name), deadline_s, lambda: "\n".join(self.lines))
        return found or ""

    def ended(self, *, deadline_s: float) -> int:
        """Its exit code once it has ended by itself."""
        return self.process.wait(deadline_s)

    def interrupt(self) -> int:
        """Ctrl-C, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode

    def _value(self, name: str) -> str | None:
        for line in list(self.lines):
            words = line.split(maxsplit=1)
            if len(words) == 2 and words[0] == name:
                return words[1].strip()
        return None

    def _read(self) -> None:
        if self.process.stdout is not None:
            self.lines.extend(iter(self.process.stdout.readline, ""))


def in_front(command: str, folder: Path, *, deadline_s: float = 120) -> str:
    """Run a command to its end, which must be 0; what it printed on standard output."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout


def environment() -> dict[str, str]:
    """A shell's environment with the command on its path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAULPROOF_")}
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}


def wait_for(
    look: Callable[[], T | None], deadline_s: float, said: Callable[[], str] = lambda: ""
) -> T:
    """What ``look`` gives once it gives something; fails at the deadline with what was ``said``."""
    until = time.monotonic() + deadline_s
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < until, f"waited {deadline_s} s in vain: {said()}"
        time.sleep(0.05)
