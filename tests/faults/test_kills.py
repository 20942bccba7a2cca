"""Each process is killed in the middle of a commit; nothing sealed is lost or doubled."""

import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from exchange.commands.credentials import read_credentials
from exchange.commands.http import Api
from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from firmware_sim.drives import open_drive, seconds_with_data, shipped_drive
from haulproof.demo.account import Account
from haulproof.demo.processes import Part
from haulproof.demo.story import CARRIER, VEHICLE, Places, Story
from tests.e2e.shells import wait_for
from tests.faults.moments import wait_for_database_commit, wait_for_file_growth
from tests.faults.published_log import LogReader

DRIVE = "eclipse-truck"
SPEED = 60.0
FINISHED_S = 120
WIDE = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}


class Scene:
    """A running chain whose parts can be killed, each in the middle of a commit."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.places = Places(folder / "exchange", folder / "logs")
        self.directory = Directory(self.places.root)
        self._story = Story(self.places)
        stack.callback(self._story.close)
        self._stack = stack
        self.up = self._story.start_exchange()
        self._story.admit(self.up, note="")
        words = ["sim", "truck", "--drive", DRIVE, "--speed", str(SPEED), "--json"]
        self.bench = stack.enter_context(Part(words, folder / "logs" / "sim.log"))
        self.served = self.bench.announced(timeout_s=30)
        self.agent = self._start_agent()
        outbox = self.places.truck / "outbox.sqlite"
        wait_for(lambda: self._has_sealed(outbox) or None, 60, self.agent.last_error)

    def kill_exchange(self) -> None:
        """The supervisor and, with it, every role; then a new start in the same directory."""
        self._wait_for_commit()
        self._story.kill_exchange()
        self.up = self._story.start_exchange()

    def kill_agent(self) -> None:
        """The truck's process; started again at once."""
        wait_for_file_growth(self.places.truck / "outbox.sqlite-wal")
        self.agent.kill()
        self.agent = self._start_agent()

    def kill_broker(self) -> None:
        """nats-server; the supervisor starts another."""
        self._wait_for_commit()
        self._kill_server(self.directory.nats)

    def kill_database(self) -> None:
        """The postmaster; the supervisor starts another."""
        self._wait_for_commit()
        self._kill_server(self.directory.postgres)

    @staticmethod
    def _has_sealed(outbox: Path) -> bool:
        if not outbox.exists():
            return False
        with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as conn:
            tables = conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'statement'").fetchone()
            return bool(tables and conn.execute("SELECT 1 FROM statement").fetchone())

    def _wait_for_commit(self) -> None:
        wait_for_database_commit(EmbeddedPostgres(self.directory).superuser_url)

    def _start_agent(self) -> Part:
        words = ["agent", "run", "--dir", str(self.places.truck), "--json", "--clock", "source"]
        words += ["--can", self.served["can"], "--nmea", self.served["nmea"]]
        words += ["--resend-after", "2", "--drain-timeout", str(FINISHED_S)]
        return self._stack.enter_context(Part(words, self.places.logs / "agent.log"))

    def _kill_server(self, folder: Path) -> None:
        before = server_in(folder)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: server_in(folder) not in (None, before) or None, 30)


@pytest.mark.timeout(400)
def test_each_part_killed_in_a_commit_loses_nothing_and_doubles_nothing(
    tmp_path: Path, seed: int
) -> None:
    with ExitStack() as stack:
        scene = Scene(tmp_path, stack)
        kills: list[Callable[[], None]] = [
            scene.kill_exchange,
            scene.kill_agent,
            scene.kill_broker,
            scene.kill_database,
        ]
        random.Random(seed).shuffle(kills)
        for kill in kills:
            kill()
        scene.agent.finished(timeout_s=FINISHED_S)

        sealed = sealed_in(scene.places.truck / "outbox.sqlite")
        with reader(scene.up) as log:
            log.read()
            digests = log.digests()
        account = committed(scene)
        lost = account.lost(drive_seconds(scene))

    assert len(sealed) == len(set(sealed))
    assert {digest: digests[digest] for digest in sealed} == dict.fromkeys(sealed, 1)
    assert account.gaps >= 1
    assert lost == 0
    assert account.segments + account.gaps == len(sealed)


def reader(up: dict[str, Any]) -> "closing[LogReader]":
    return closing(LogReader(up["api"], up["log_vkey"]))


def committed(scene: Scene) -> Account:
    """What the carrier can pull of its vehicle, driver-class segments included."""
    account = Account()
    with Api(read_credentials(scene.places.credentials(CARRIER))) as api:
        account.read(api.get_bytes("/v1/segments/evidence", vehicle=VEHICLE, **WIDE))
    return account


def drive_seconds(scene: Scene) -> set[int]:
    path = shipped_drive(DRIVE)
    assert path is not None
    return seconds_with_data(open_drive(path), int(scene.served["t_zero_ms"]))


def sealed_in(outbox: Path) -> list[bytes]:
    """Digest of every statement that the agent sealed and did not drop."""
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as conn:
        rows: list[Any] = conn.execute("SELECT digest, state FROM statement").fetchall()
    assert {state for _, state in rows} == {"receipted"}
    return [bytes(digest) for digest, _ in rows]


def server_in(folder: Path) -> int | None:
    """The process that works in a data folder and is nobody's child there."""
    working = list(processes_in(folder))
    return min(working) if working else None


def processes_in(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and Path(os.readlink(entry / "cwd")) == folder:
                yield int(entry.name)
        except OSError:
            continue
