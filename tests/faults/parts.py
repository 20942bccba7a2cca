"""The processes under test, each forked from one that has already loaded everything.

A start takes a tenth of a second instead of one or two, so that hundreds of kills fit into a run.
The forked process is the product's own command, its arguments, its log, its standard input.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import edge_agent.cli
import exchange.__main__
from tests.faults.injection import Injection, Order, Skew

_DEADLINE_S = 30.0

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.faults.preloaded"])

AGENT = "agent"


class PartProcess:
    """One process of the product: an exchange's role, or an agent."""

    def __init__(
        self, part: str, arguments: Sequence[str], log: Path, first: Order | None = None
    ) -> None:
        ours, theirs = _PROCESSES.Pipe()
        self._input, their_end = os.pipe()[::-1]
        with os.fdopen(their_end, "rb") as standard_input:
            self._process = _PROCESSES.Process(
                target=_run,
                args=(part, list(arguments), log, first, theirs, _Descriptor(standard_input)),
                daemon=True,
            )
            self._process.start()
        theirs.close()
        self._orders: Connection[Any, Any] = ours
        self.log = log

    def arm(self, order: Order) -> None:
        """Strike the next time."""
        self._orders.send(order)

    def skew(self, skew: Skew) -> None:
        """Let its clock jump."""
        self._orders.send(skew)

    def struck(self, deadline_s: float = _DEADLINE_S) -> bool:
        """Whether the armed point was struck before the deadline; waits for it."""
        try:
            if not self._orders.poll(deadline_s):
                return False
            self._orders.recv()
        except (EOFError, ConnectionResetError):
            return False
        return True

    def ended(self, deadline_s: float = 0) -> int | None:
        """Its exit code once it has ended (negative: the signal)."""
        self._process.join(deadline_s)
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.join()
        self._close()

    def stop(self) -> int | None:
        """SIGTERM, and wait; SIGKILL at the deadline."""
        self._process.terminate()
        self._process.join(_DEADLINE_S)
        if self._process.exitcode is None:
            self.kill()
        self._close()
        return self._process.exitcode

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3_000:] if self.log.exists() else ""

    def _close(self) -> None:
        self._orders.close()
        if self._input >= 0:
            os.close(self._input)
            self._input = -1


class _Descriptor:
    """A descriptor that goes with the process."""

    def __init__(self, file: Any) -> None:
        self._connection = Connection(os.dup(file.fileno()), writable=False)

    def fileno(self) -> int:
        return self._connection.fileno()


def _run(
    part: str,
    arguments: list[str],
    log: Path,
    first: Order | None,
    orders: "Connection[Any, Any]",
    standard_input: _Descriptor,
) -> None:
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(written, descriptor)
    os.dup2(standard_input.fileno(), 0)
    Injection(orders).install(part, first)
    if part == AGENT:
        sys.exit(edge_agent.cli.main(arguments))
    sys.exit(exchange.__main__.main([part, *arguments]))


def wait_until(met: Any, what: str, deadline_s: float = _DEADLINE_S) -> None:
    """Wait on a state, with a deadline."""
    until = time.monotonic() + deadline_s
    while not met():
        if time.monotonic() > until:
            raise AssertionError(f"never: {what}")
        time.sleep(0.01)
