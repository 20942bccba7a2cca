"""What the demo does, step by step, and what came out of it.

Nothing here is special to the demo: every step is a command of ``haulproof`` in a process of its
own, except the SIGKILL.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haulproof.demo.processes import Part, PartFailed, call

CARRIER, INSURER = "demo-carrier", "demo-insurer"
DEVICE, VEHICLE = "truck-1", "v-demo"

_UP_S = 120
_PLAY_SLACK_S = 180
_DERIVED_S = 60


@dataclass(frozen=True, slots=True)
class Places:
    """The demo's folder: the exchange's own directory, and beside its files those of the others."""

    root: Path
    logs: Path
    """What the parts said; a folder of its own, since the exchange begins with an empty one."""

    @property
    def party(self) -> Path:
        """Where carrier, insurer and truck keep what is theirs."""
        return self.root / "demo"

    @property
    def truck(self) -> Path:
        """The agent's folder."""
        return self.party / "truck"

    @property
    def evidence(self) -> Path:
        """What the insurer pulled."""
        return self.party / "trip.evidence"

    @property
    def policy(self) -> Path:
        """The insurer's own copy of what it trusts."""
        return self.party / "policy.txt"

    def key(self, org: str) -> Path:
        """An organisation's private key."""
        return self.party / f"{org}.pem"

    def credentials(self, org: str) -> Path:
        """An organisation's client credentials."""
        return self.party / f"{org}.json"


@dataclass(frozen=True, slots=True)
class Played:
    """What the bench and the agent said of the drive at its end."""

    bench: dict[str, Any]
    agent: dict[str, Any]


class Story:
    """The demo's course. One method a step, in the order in which they are called."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._parts = ExitStack()
        self._exchange: Part | None = None

    def close(self) -> None:
        """Stop whatever still runs."""
        self._parts.close()

    def start_exchange(self) -> dict[str, Any]:
        """``haulproof up``: broker, database and exchange; gives back what it announced."""
        words = ["up", "--dir", str(self._places.root), "--json"]
        self._exchange = self._parts.enter_context(Part(words, self._log("up")))
        announced = self._exchange.announced(timeout_s=_UP_S)
        self._places.party.mkdir(mode=0o700, exist_ok=True)
        return announced

    def kill_exchange(self) -> None:
        """SIGKILL of the running exchange."""
        if self._exchange is None:
            raise PartFailed("the exchange was never started")
        self._exchange.kill()

    def admit(self, up: dict[str, Any], note: str) -> None:
        """Organisations, device and grant, each signed by whom it concerns."""
        places = self._places
        for org, role in ((CARRIER, "carrier"), (INSURER, "insurer")):
            key = places.key(org)
            _call("org", "key", key)
            public = ("--key", f"{key}.pub")
            admitted = _call("org", "add", org, "--role", role, *public, "--dir", places.root)
            _write_private(places.credentials(org), admitted)
        names = ("--carrier", CARRIER, "--device", DEVICE, "--origin", up["log_origin"])
        _call("agent", "enrol", "--dir", places.truck, *names)
        signed = ("--key", places.key(CARRIER), "--credentials", places.credentials(CARRIER))
        enrolment = (places.truck / "request.json", "--out", places.truck / "enrolment.json")
        noted = ("--note", note) if note else ()
        _call("device", "add", *enrolment, "--vehicle", VEHICLE, *signed, *noted)
        allowed = ("--precision", "exact", "--identity", "--expires", "2099-12-31")
        reader = ("--to", INSURER, "--purpose", "insurance", "--vehicle", VEHICLE)
        _call("grant", "add", *reader, *allowed, *signed)
        shutil.copyfile(up["policy_file"], places.policy)

    def play(
        self, drive: str, speed: float, span_s: float, interrupt: Callable[[], None]
    ) -> Played:
        """Bench truck and agent until the drive's end; ``interrupt`` is called half-way."""
        words = ["sim", "truck", "--drive", drive, "--speed", f"{speed:g}", "--json"]
        with Part(words, self._log("sim")) as bench:
            served = bench.announced(timeout_s=30)
            agent_words = ["agent", "run", "--dir", str(self._places.truck), "--json"]
            agent_words += ["--can", served["can"], "--nmea", served["nmea"], "--clock", "source"]
            # A person waits for the receipts that the kill cost: not the 30 s of a real link.
            agent_words += ["--resend-after", "3"]
            with Part(agent_words, self._log("agent")) as agent:
                _wait_while_running(agent, span_s / speed / 2)
                interrupt()
                said = agent.finished(timeout_s=span_s / speed + _PLAY_SLACK_S)
                return Played(bench={**served, **bench.finished(timeout_s=30)}, agent=said)

    def _log(self, part: str) -> Path:
        return self._places.logs / f"{part}.log"


def await_trips(credentials: Path, last_index: int) -> list[dict[str, Any]]:
    """The trips that the insurer sees once derivation has read up to ``last_index``."""
    deadline = time.monotonic() + _DERIVED_S
    while True:
        answer = call(["trip", "list", "--credentials", str(credentials), "--json"])
        if answer["derived_to"] > last_index:
            items: list[dict[str, Any]] = answer["items"]
            return items
        if time.monotonic() > deadline:
            raise PartFailed(f"trips were not derived within {_DERIVED_S} s")
        time.sleep(0.2)


@contextmanager
def changed_byte(file: Path, offset: int) -> Iterator[Path]:
    """A copy of the file with one byte changed, for as long as the block runs."""
    copy = file.with_suffix(".tampered")
    data = bytearray(file.read_bytes())
    data[offset % len(data)] ^= 0x01
    copy.write_bytes(data)
    try:
        yield copy
    finally:
        copy.unlink()


def _call(*words: object) -> dict[str, Any]:
    return call([*map(str, words), "--json"])


def _wait_while_running(part: Part, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while part.running and time.monotonic() < deadline:
        time.sleep(0.05)


def _write_private(path: Path, content: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content) + "\n")
