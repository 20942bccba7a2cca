"""The demo's processes: real commands in processes of their own, each with its own log file."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

_COMMAND = (sys.executable, "-m", "haulproof")


class PartFailed(Exception):
    """A part of the demo ended badly; the text names it and says where to look."""


def end_in_order_when_told() -> None:
    """From now on SIGTERM and SIGHUP are Ctrl-C: what was started is stopped, not left behind."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish
            signal.signal(number, interrupt)


def call(words: Sequence[str], *, timeout_s: float = 60) -> dict[str, Any]:
    """Run a command to its end and give back the JSON object on its last line.

    ``PartFailed`` with the command's own sentence when it does not exit with 0.
    """
    try:
        done = subprocess.run(
            (*_COMMAND, *words), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise PartFailed(f"{_name(words)} did not end within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise PartFailed(f"{_name(words)} failed: {_last_line(done.stderr)}")
    return _json_line(done.stdout, words)


class Part:
    """A command that keeps running; its lines of JSON can be waited for."""

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self._words = words
        self._log = log
        self._lines: list[str] = []
        self._changed = threading.Condition()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                (*_COMMAND, *words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def announced(self, *, timeout_s: float) -> dict[str, Any]:
        """The JSON object that it prints once ready; ``PartFailed`` when there is none."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._lines:
                if self._process.poll() is not None and not self._reader.is_alive():
                    raise self._failure("ended before it was ready")
                if time.monotonic() >= deadline:
                    raise self._failure(f"was not ready within {timeout_s:.0f} s")
                self._changed.wait(0.1)
            return _json_line(self._lines[0], self._words)

    def finished(self, *, timeout_s: float) -> dict[str, Any]:
        """Wait for its end and give back its last line; ``PartFailed`` when that is not 0."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end within {timeout_s:.0f} s") from None
        self._reader.join(5)
        if code != 0:
            raise self._failure(f"ended with exit code {code}")
        return _json_line("\n".join(self._lines), self._words)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL, as a power cut would do it: the process gets no chance to tidy up."""
        self._process.kill()
        self._process.wait()

    def stop(self, *, timeout_s: float = 20) -> None:
        """SIGTERM and wait; SIGKILL for the whole group when that takes too long."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def last_error(self) -> str:
        """The last line that it wrote to its log."""
        return _last_line(self._log.read_text(errors="replace"))

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        for line in self._process.stdout:
            if line.startswith("{"):
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _failure(self, what: str) -> PartFailed:
        return PartFailed(f"{_name(self._words)} {what}: {self.last_error()} (log: {self._log})")


def _name(words: Sequence[str]) -> str:
    return " ".join(["haulproof", *[word for word in words[:2] if not word.startswith("-")]])


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _json_line(text: str, words: Sequence[str]) -> dict[str, Any]:
    try:
        answer = json.loads(_last_line(text))
    except ValueError:
        raise PartFailed(f"{_name(words)} printed no JSON line") from None
    if not isinstance(answer, dict):
        raise PartFailed(f"{_name(words)} printed no JSON object")
    return answer
