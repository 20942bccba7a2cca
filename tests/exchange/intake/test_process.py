"""The intake process: killed during its commits, it commits every statement exactly once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import nats as nats_client
from psycopg import Connection

from exchange.directory import Directory
from exchange.kept_ports import Ports
from tests.exchange.conftest import Broker
from tests.exchange.intake.running import DEADLINE_S, stream_is_there
from tests.exchange.intake.trucks import Truck, admit
from tests.exchange.intake.whole_store import check_store, committed_digests

SEGMENTS = 1_200
KILLS = 4


class RoleUnderTest:
    """``python -m exchange ROLE`` over a broker and this test's database."""

    def __init__(
        self, role: str, directory: Directory, postgres: str, folder: Path, **settings: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        config = folder / "settings.toml"
        lines = [f'{name} = "{value}"' for name, value in settings.items()]
        lines += [f'database_url = "{postgres}"', "batch_messages_max = 50"]
        # These trucks send once: nothing of theirs may be refused because there is too much.
        lines += ["device_messages_max = 10000", "device_messages_per_s = 0"]
        config.write_text("\n".join(lines))
        self._command = [sys.executable, "-m", "exchange", role]
        self._command += ["--dir", str(directory.root), "--config", str(config)]
        self._log = folder / f"{role}.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.PIPE, stderr=log)

    def kill_and_start_again(self) -> None:
        self.process.kill()
        self.end()
        self.process = self._start()

    def told_to_end(self) -> int:
        """SIGTERM once it has a handler: before that, the signal just ends it. Its exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while not catches_sigterm(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(DEADLINE_S)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return code

    @property
    def log(self) -> str:
        return self._log.read_text()


@contextmanager
def process_of(
    role: str, directory: Directory, postgres: str, folder: Path, **settings: str
) -> Iterator[RoleUnderTest]:
    started = RoleUnderTest(role, directory, postgres, folder, **settings)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.end()


def wait_for_a_transaction(conn: Connection[Any]) -> bool:
    """Until intake is between the begin and the end of a batch's transaction."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'haulproof' AND backend_xid IS NOT NULL"
        ).fetchone()
        if row is not None and row[0]:
            return True
    return False


def test_a_kill_during_a_commit_loses_nothing_and_commits_nothing_twice(
    exchange_directory: Directory,
    nats: Broker,
    postgres: str,
    conn: Connection[Any],
    tmp_path: Path,
) -> None:
    seed = int(os.environ.get("HAULPROOF_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"HAULPROOF_SEED={seed}")
    rng = random.Random(seed)
    trucks = [Truck(f"dev-{n}", origin=exchange_directory.origin or "") for n in range(4)]
    admit(conn, *trucks)
    raws = [truck.segment() for _ in range(SEGMENTS // 4) for truck in trucks]
    owners = trucks * (SEGMENTS // 4)

    with process_of("intake", exchange_directory, postgres, tmp_path) as intake:
        asyncio.run(publish(nats, list(zip(owners, raws, strict=True))))
        for _ in range(KILLS):
            assert wait_for_a_transaction(conn), intake.log
            time.sleep(rng.uniform(0, 0.004))
            intake.kill_and_start_again()
            check_store(conn)
        wait_for_all(conn, len(raws), intake)
        assert intake.told_to_end() == 0, intake.log

    assert sorted(committed_digests(conn)) == sorted(sha256(raw).digest() for raw in raws)
    check_store(conn)


async def publish(broker: Broker, sent: list[tuple[Truck, bytes]]) -> None:
    client = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    try:
        await stream_is_there(client)
        for truck, raw in sent:
            await client.publish(f"hp.v1.{truck.carrier}.{truck.device}.seg", raw)
        await client.flush()
    finally:
        await client.close()


def wait_for_all(conn: Connection[Any], count: int, intake: RoleUnderTest) -> None:
    """What a killed worker had in hand comes again after the acknowledgement wait."""
    deadline = time.monotonic() + 3 * DEADLINE_S
    while time.monotonic() < deadline:
        row = conn.execute("SELECT count(*) FROM segment_key").fetchone()
        if row is not None and row[0] == count:
            return
        time.sleep(0.05)
    raise AssertionError(f"not everything was committed: {intake.log}")


def test_while_the_broker_is_away_the_process_waits_and_still_ends_in_order(
    exchange_directory: Directory, exchange_ports: Ports, postgres: str, tmp_path: Path
) -> None:
    away = {"nats_url": "nats://127.0.0.1:1"}

    with process_of("intake", exchange_directory, postgres, tmp_path, **away) as intake:
        assert intake.told_to_end() == 0, intake.log


def test_while_the_database_is_away_the_process_waits_and_still_ends_in_order(
    exchange_directory: Directory, exchange_ports: Ports, postgres: str, tmp_path: Path
) -> None:
    with process_of("intake", exchange_directory, postgres + "&port=1", tmp_path) as intake:
        deadline = time.monotonic() + DEADLINE_S
        while "stamina" not in intake.log and time.monotonic() < deadline:
            time.sleep(0.05)

        assert intake.told_to_end() == 0, intake.log


def catches_sigterm(pid: int) -> bool:
    """Whether the process has installed a handler."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
