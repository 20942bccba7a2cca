"""One ``up`` per directory."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from exchange import directory_lock
from exchange.directory import claim_directory
from exchange.directory_lock import locked
from exchange.exits import EnvironmentUnfit
from exchange.settings import Settings


def test_a_second_up_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    directory = claim_directory(Settings(dir=tmp_path / "ex"))
    with (
        locked(directory),
        pytest.raises(EnvironmentUnfit, match=rf"process {os.getpid()}\) already serves"),
        locked(directory),
    ):
        pass
    with locked(directory):
        pass


def test_the_processes_of_a_killed_up_are_waited_for(tmp_path: Path) -> None:
    """A holder that is gone leaves a child with its lock, which ends a moment later."""
    directory = claim_directory(Settings(dir=tmp_path / "ex"))
    holder = textwrap.dedent(
        """
        import os, subprocess, sys
        from pathlib import Path
        from exchange.directory import Directory
        from exchange.directory_lock import locked
        with locked(Directory(Path(sys.argv[1]))) as lock:
            subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=(lock,))
            print("held", flush=True)
            os.kill(os.getpid(), 9)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(directory.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        process.wait()
        process.stdin.close()
        with locked(directory):
            assert directory.lock.read_text().strip() == str(os.getpid())


def test_a_process_that_does_not_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its id nobody knows what to end."""
    monkeypatch.setattr(directory_lock, "_REMNANTS_END_S", 0.0)
    directory = claim_directory(Settings(dir=tmp_path / "ex"))
    with locked(directory) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], pass_fds=(lock,), stdin=subprocess.PIPE
        )
    with child:
        directory.lock.write_text("0\n")  # whoever started it is gone
        with pytest.raises(EnvironmentUnfit, match=rf"end process {child.pid}$"), locked(directory):
            pass
        child.kill()
