"""A witness as its own process, and requests to it."""

import json
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

_DEADLINE_S = 30.0
_COMMAND = [sys.executable, "-m", "haulproof", "log", "witness"]


class WitnessProcess:
    """``haulproof log witness`` on a free port of this machine."""

    def __init__(
        self, folder: Path, logs: str, name: str = "witness.example", port: int = 0
    ) -> None:
        self.folder = folder
        file = folder.with_name(folder.name + "-logs.txt")
        file.write_text(logs)
        self._words = ["--dir", str(folder), "--logs", str(file), "--listen", f"127.0.0.1:{port}"]
        self._name = name
        self.start()

    def start(self) -> None:
        """Start it, in place of one that ended."""
        name = [] if (self.folder / "name").exists() else ["--name", self._name]
        self._process = subprocess.Popen(
            [*_COMMAND, *self._words, *name, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.told: dict[str, Any] = json.loads(self._process.stdout.readline())

    @property
    def url(self) -> str:
        return str(self.told["url"])

    @property
    def vkeys(self) -> list[str]:
        return list(self.told["vkeys"])

    def post(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=_DEADLINE_S)

    def checkpoint(self, origin: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{self.hash_of(origin)}/checkpoint", timeout=_DEADLINE_S)

    @staticmethod
    def hash_of(origin: str) -> str:
        """The name under which a witness shows a log's checkpoint to monitors."""
        return sha256(origin.encode()).hexdigest()

    def policy_lines(self, name: str = "w") -> str:
        """Lines of a policy that asks for both its keys, as the group ``name``."""
        first, second = self.vkeys
        return (
            f"witness {name}-ed25519 {first} {self.url}\n"
            f"witness {name}-ml-dsa {second} {self.url}\n"
            f"group {name} all {name}-ed25519 {name}-ml-dsa\n"
        )

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self._process.wait(_DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
