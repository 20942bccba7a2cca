"""An exchange's log as a directory: whole at every moment, whoever kills the export and when."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import Connection

from exchange.directory import Directory
from exchange.transparency import repository as log
from exchange.transparency.signer import LogSigner
from haulproof.__main__ import main
from ledger.fence import FileFence
from tests.haulproof.log.web_server import hosting
from tests.ledger.made_log import MadeLog
from tests.ledger.second_recheck import from_directory, from_http, recheck

_SIGKILL_DEADLINE_S = 60
_MILLION = 1_000_003
ROOT = Path(__file__).parents[3]


class Exchange:
    """A log in PostgreSQL that grows and is signed, and the command that exports it."""

    def __init__(self, url: str, directory: Directory, fence: Path, conn: Connection[Any]) -> None:
        self.url = url
        self.directory = directory
        self.vkey = directory.log_vkey()
        self._conn = conn
        self._signer = LogSigner(conn, FileFence(fence), directory.log_signer())
        self._rng = random.Random(5)

    def grow(self, count: int) -> int:
        """So many leaves more, under a new checkpoint; its size."""
        with self._conn.transaction():
            log.append_leaves(self._conn, [(1, self._rng.randbytes(32)) for _ in range(count)])
        published = self._signer.turn()
        assert published is not None
        return published.size

    def words(self, root: Path) -> list[str]:
        return ["log", "export", str(root), "--dir", str(self.directory.root)]

    @property
    def environment(self) -> dict[str, str]:
        return {"HAULPROOF_DATABASE_URL": self.url}


@pytest.fixture
def exchange(
    postgres: str,
    exchange_directory: Directory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Exchange]:
    with psycopg.connect(postgres, autocommit=True) as conn:
        made = Exchange(postgres, exchange_directory, tmp_path / "fence", conn)
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def export(exchange: Exchange, root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main([*exchange.words(root), "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    found: dict[str, Any] = json.loads(told.out.splitlines()[-1])
    return found


def test_an_export_is_the_log_and_adds_what_is_new(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "log"
    for count, copied in ((3, 3), (0, 0), (254, 254), (5_000, 5_000)):
        size = exchange.grow(count)

        found = export(exchange, root, capsys)

        assert (found["size"], found["leaves_copied"]) == (size, copied)
        assert recheck(from_directory(root), exchange.vkey) == size


def test_an_export_is_hosted_by_any_web_server(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = exchange.grow(3_000)
    export(exchange, tmp_path / "log", capsys)

    with hosting(tmp_path) as url, httpx.Client() as client:
        assert recheck(from_http(client, f"{url}/log"), exchange.vkey) == size


def test_a_log_without_checkpoint_is_told(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(exchange.words(tmp_path / "log")) == 3
    assert "has no checkpoint" in capsys.readouterr().err


def test_a_database_that_is_away_is_told(
    exchange: Exchange,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HAULPROOF_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")

    assert main(exchange.words(tmp_path / "log")) == 3

    assert "the exchange's database does not answer" in capsys.readouterr().err


def test_tables_that_contradict_the_checkpoint_are_not_exported(
    exchange: Exchange,
    owner: Connection[Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "log"
    exchange.grow(300)
    export(exchange, root, capsys)
    exchange.grow(300)
    owner.execute("UPDATE leaf SET digest = sha256('other') WHERE index = 400")

    assert main(exchange.words(root)) == 1

    assert "tile/entries/001" in capsys.readouterr().err
    assert recheck(from_directory(root), exchange.vkey) == 300


def test_the_directory_of_another_log_is_left_alone(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = MadeLog()
    other.publish(300)
    other.write_to(tmp_path / "log")
    exchange.grow(300)

    assert main(exchange.words(tmp_path / "log")) == 1

    assert "is trusted" in capsys.readouterr().err
    assert recheck(from_directory(tmp_path / "log"), other.vkey) == 300


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])]
)
def test_a_killed_export_leaves_a_whole_log_and_goes_on(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str], kills: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    root = tmp_path / "log"
    exchange.grow(20_000)
    killed = 0
    for _ in range(kills):
        killed += _export_and_kill(exchange, root, rng)
        if (root / "checkpoint").exists():
            recheck(from_directory(root), exchange.vkey)
        exchange.grow(rng.randrange(1, 4_000))
    size = exchange.grow(1)

    assert export(exchange, root, capsys)["size"] == size
    assert recheck(from_directory(root), exchange.vkey) == size
    assert killed >= kills // 2


def _export_and_kill(exchange: Exchange, root: Path, rng: random.Random) -> bool:
    """Kill an export some time after it has begun to write; whether it was still running."""
    before = _writes(root)
    process = subprocess.Popen(
        [sys.executable, "-m", "haulproof", *exchange.words(root)],
        cwd=ROOT,
        env={**os.environ, **exchange.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + _SIGKILL_DEADLINE_S
    while _writes(root) == before and process.poll() is None:
        assert time.monotonic() < until, "the export never began to write"
        time.sleep(0.001)
    wait_s = rng.random() ** 2 * 0.1
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait(_SIGKILL_DEADLINE_S) == -signal.SIGKILL


def _writes(root: Path) -> tuple[int, int]:
    """Changes with each file that is written aside."""
    try:
        found = os.stat(root / ".unfinished")
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_a_million_leaves_are_exported_hosted_mirrored_and_monitored(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "log"
    size = 0
    while size < _MILLION:
        size = exchange.grow(min(100_000, _MILLION - size))

    found = export(exchange, root, capsys)

    assert found["size"] == found["leaves_copied"] == _MILLION
    assert recheck(from_directory(root), exchange.vkey) == _MILLION
    key = ["--log-key", exchange.vkey]
    with hosting(root) as url, httpx.Client() as client:
        assert recheck(from_http(client, url), exchange.vkey) == _MILLION
        assert main(["log", "mirror", url, str(tmp_path / "copy"), *key]) == 0
        words = ["log", "monitor", url, *key, "--once", "--json", "--state", str(tmp_path / "s")]
        assert main(words) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["entries_read"] == _MILLION
    assert recheck(from_directory(tmp_path / "copy"), exchange.vkey) == _MILLION
