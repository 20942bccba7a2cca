"""The processes of one exchange: which there are, and one of them from start to end."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exchange.directory import Directory
from exchange.embedded.processes import open_log
from exchange.readiness import READY, READY_DESCRIPTOR
from exchange.settings import Settings

MODULES = {
    "broker-auth": "exchange.broker_auth",
    "signer": "exchange.transparency.signer",
    "witnesses": "exchange.witnesses.process",
    "feed": "exchange.intake.feed_process",
    "intake": "exchange.intake.process",
    "derive": "exchange.trips.process",
    "api": "exchange.api.process",
}
"""Roles by the module whose ``run(settings) -> int`` is the process; also the order of start."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a process that ended is started again; pure."""

    first_s: float = 0.2
    most_s: float = 10.0
    steady_s: float = 30.0

    def after(self, failures: int, lived_s: float) -> tuple[int, float]:
        """Failures in a row now, and the wait in seconds: doubling, forgiven after living long."""
        in_a_row = 1 if lived_s >= self.steady_s else failures + 1
        return in_a_row, min(self.most_s, self.first_s * 2 ** (in_a_row - 1))


class RoleProcess:
    """One process of a role; ends when we end, since its standard input then ends."""

    def __init__(
        self, name: str, role: str, directory: Directory, config: Path | None, lock: int
    ) -> None:
        self.name = name
        self.log = directory.logs / f"{name}.log"
        self._command = [sys.executable, "-m", "exchange", role, "--dir", str(directory.root)]
        if config is not None:
            self._command += ["--config", str(config.absolute())]
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_end = -1
        self._said = ""
        self.started_at_s = 0.0
        self.failures = 0

    def start(self) -> None:
        """Start the process; what it says about itself is read by ``heard``."""
        self.close()
        self._ready_end, told = os.pipe()
        os.set_blocking(self._ready_end, False)
        environment = {**os.environ, READY_DESCRIPTOR: str(told)}
        try:
            with open_log(self.log) as output:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(told, self._lock),
                    start_new_session=True,
                    env=environment,
                )
        finally:
            os.close(told)
        self._said, self.started_at_s = "", time.monotonic()

    def heard(self) -> str:
        """The last that it said: ``ready``, a sentence why it can't work, or nothing yet."""
        if self._ready_end >= 0:
            with suppress(BlockingIOError):
                lines = os.read(self._ready_end, 65_536).decode(errors="replace").splitlines()
                self._said = lines[-1].strip() if lines else self._said
        return self._said

    def news(self) -> str:
        """A sentence that it has said since it was last asked, when that is not the same."""
        before, said = self._said, self.heard()
        return said if said not in (before, READY) else ""

    def ended(self) -> int | None:
        """Its exit code (negative: the signal) when it has ended."""
        return None if self._process is None else self._process.poll()

    def ask_to_end(self) -> None:
        """SIGTERM, once started and not ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait_for_end(self, deadline_s: float) -> None:
        """Wait until the monotonic time, then SIGKILL."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.close()

    def close(self) -> None:
        """Close our ends of its pipes."""
        if self._ready_end >= 0:
            os.close(self._ready_end)
            self._ready_end = -1
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def role_names(settings: Settings) -> list[tuple[str, str]]:
    """(name, role) of every process that these settings ask for, in the order of start."""
    names = []
    for role in MODULES:
        if role == "broker-auth" and not settings.answers_callout:
            continue
        if role == "feed" and not settings.mqtt_url:
            continue
        if role == "witnesses" and settings.witness_policy_file is None:
            continue
        if role == "intake":
            names += [(f"intake-{n + 1}", role) for n in range(settings.intake_workers)]
        else:
            names.append((role, role))
    return names
