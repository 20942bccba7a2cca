import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haulproof.bench.usage import cpu_seconds, resident_mb, servers_alone

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that looks like the signer of the exchange in ``tmp_path``."""
    words = [sys.executable, "-c", SLEEPS, "exchange", "signer", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that works where the broker of the exchange in ``tmp_path`` does."""
    folder = tmp_path / "nats"
    folder.mkdir()
    words = [sys.executable, "-c", SLEEPS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def signal_of(process: subprocess.Popen[str], change: int) -> int:
    """The signal by which the process has stopped or gone on; waits unless told not to."""
    told = os.waitid(os.P_PID, process.pid, change)
    return told.si_status if told is not None else 0


def test_parts_are_told_by_their_words_and_by_where_they_work(
    tmp_path: Path, signer: subprocess.Popen[str], broker: subprocess.Popen[str]
) -> None:
    assert set(cpu_seconds(tmp_path)) == {"signer", "nats"}
    assert all(mb > 1 for mb in resident_mb(tmp_path).values())


def test_processes_of_another_exchange_are_not_counted(
    tmp_path: Path, signer: subprocess.Popen[str]
) -> None:
    assert cpu_seconds(tmp_path / "other") == {}


def test_servers_go_on_while_the_rest_stands_still(
    tmp_path: Path, signer: subprocess.Popen[str], broker: subprocess.Popen[str]
) -> None:
    with servers_alone(tmp_path):
        assert signal_of(signer, os.WSTOPPED) == signal.SIGSTOP
        assert signal_of(broker, os.WSTOPPED | os.WNOHANG) == 0

    assert signal_of(signer, os.WCONTINUED) == signal.SIGCONT
