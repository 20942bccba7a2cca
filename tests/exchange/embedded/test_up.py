"""``haulproof up`` with everything that it starts, from the outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange.directory import Directory, open_directory
from exchange.embedded.processes import left_behind
from exchange.settings import Settings

READY_S = 60.0
DEADLINE_S = 30.0
UNNAMED_UID = 47_999
Environment = Mapping[str, str]
NOTHING_MORE: Environment = {}
MEMBERS = (
    "api",
    "mqtt",
    "log_origin",
    "log_vkey",
    "log_vkey_ml_dsa",
    "policy_file",
    "dir",
)


@dataclass
class Up:
    """A running ``haulproof up``."""

    process: subprocess.Popen[str]
    announced: dict[str, str]
    directory: Directory

    def children(self) -> dict[str, int]:
        """Process ids by role or program of what it has started."""
        found = {}
        for pid in _children_of(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if "exchange" in command:
                found[command[command.index("exchange") + 1]] = pid
            else:
                found[Path(command[0]).name] = pid
        return found


def start(
    root: Path, *more: str, as_user: int | None = None, environment: Environment = NOTHING_MORE
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "haulproof", "up", "--dir", str(root), *more]
    return subprocess.Popen(
        [*_setpriv(as_user), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def _setpriv(uid: int | None) -> list[str]:
    """As the user, who may still look into folders: Python may lie in root's home."""
    if uid is None:
        return []
    who = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    may_look = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", *who, *may_look, "--"]


@contextmanager
def running(root: Path) -> Iterator[Up]:
    process = start(root, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Up(process, json.loads(line), Directory(root))
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def refused(root: Path, *more: str, environment: Environment = NOTHING_MORE) -> tuple[int, str]:
    process = start(root, *more, environment=environment)
    out, said = process.communicate(timeout=READY_S)
    assert out == ""
    assert "Traceback" not in said
    return process.returncode, said.splitlines()[-1]


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(up: Up) -> bool:
    host, _, port = up.announced["api"].removeprefix("http://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(b"GET /v1/log HTTP/1.0\r\n\r\n")
            return connection.recv(16).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def is_gone(pid: int) -> bool:
    """Whether it runs no more; where nobody collects orphans, a zombie stays."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def _children_of(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in listed.split()]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "ex") as started:
        yield started


def test_once_ready_it_prints_one_json_line_with_what_others_need(up: Up) -> None:
    assert tuple(up.announced) == MEMBERS
    assert up.announced["log_vkey"].startswith(up.announced["log_origin"] + "+")
    assert up.announced["log_vkey_ml_dsa"].startswith(up.announced["log_origin"] + "+")
    assert Path(up.announced["policy_file"]).read_text().startswith("log ")
    assert Path(up.announced["dir"]) == up.directory.root
    assert json.loads(up.directory.announcement.read_text()) == up.announced
    assert answers(up)


def test_everything_it_consists_of_runs(up: Up) -> None:
    expected = {"postgres", "nats-server", "broker-auth", "signer", "intake", "derive", "api"}
    assert set(up.children()) == expected


def test_a_second_up_on_the_directory_is_refused(up: Up) -> None:
    code, sentence = refused(up.directory.root)
    assert code == 3
    assert f"haulproof up (process {up.process.pid}) already serves" in sentence


@pytest.mark.parametrize("name", ["intake", "signer", "broker-auth", "derive", "api"])
def test_a_process_that_is_killed_is_started_again(up: Up, name: str) -> None:
    before = up.children()[name]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: up.children().get(name, before) != before)
    wait_until(lambda: answers(up))


@pytest.mark.parametrize("name", ["nats-server", "postgres"])
def test_a_server_that_is_killed_is_started_again(up: Up, name: str) -> None:
    before = up.children()[name]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: up.children().get(name, before) != before)
    wait_until(lambda: answers(up))


def test_no_secret_is_in_a_log_or_a_command_line(up: Up) -> None:
    secrets = [
        value
        for name in ("nats.json", "postgres.json", "operator.json")
        for key, value in json.loads((up.directory.secrets / name).read_bytes()).items()
        if "password" in key or "secret" in key or "seed" in key
    ]
    seen = [path.read_bytes() for path in up.directory.logs.iterdir()]
    seen += [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in up.children().values()]
    for secret in secrets:
        assert not any(secret.encode() in data for data in seen)


def test_a_signer_that_stops_later_is_told_in_front(tmp_path: Path) -> None:
    """Whoever watches ``up`` must hear that no receipt is given any more."""
    with running(tmp_path / "ex") as up:
        assert up.process.stderr is not None
        up.directory.fence.unlink()
        os.kill(up.children()["signer"], signal.SIGKILL)
        told = next(line for line in up.process.stderr if "fence" in line)
    assert told.startswith("haulproof up: signer: The fence is empty or gone")
    assert "Put the newest one" in told


def test_killed_it_leaves_nothing_and_starts_again_where_agents_find_it(tmp_path: Path) -> None:
    root = tmp_path / "ex"
    with running(root) as first:
        children = first.children()
        first.process.kill()
        first.process.wait(DEADLINE_S)
        with running(root) as second:
            assert second.announced == first.announced
            assert not set(children.values()) & set(second.children().values())
            assert all(is_gone(pid) for pid in children.values())
            children = second.children()
            second.process.send_signal(signal.SIGTERM)
            assert second.process.wait(DEADLINE_S) == 0
            assert all(is_gone(pid) for pid in children.values())
    log = (second.directory.logs / "postgres.log").read_text().splitlines()
    assert log[-1].endswith("database system is shut down")


def test_ctrl_c_while_starting_ends_what_was_started(tmp_path: Path) -> None:
    root = tmp_path / "ex"
    process = start(root)
    wait_until(lambda: left_behind(root / "postgres", "postgres"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert not left_behind(root / "postgres", "postgres")


def test_an_ordinary_user_without_a_name_reads_the_same_as_lines_and_ends_it_by_ctrl_c(
    tmp_path: Path,
) -> None:
    """Root plays an unnamed user; who is none is an ordinary user already."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(home, UNNAMED_UID, UNNAMED_UID)
    process = start(home / "ex", as_user=UNNAMED_UID if os.geteuid() == 0 else None)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(len(MEMBERS) + 2)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert lines[0] == "The exchange is ready.\n", said
    assert [line.split()[0] for line in lines[1:-1]] == list(MEMBERS)
    assert lines[-1] == "Ctrl-C ends it.\n"
    assert process.returncode == 0
    assert {path.stat().st_uid for path in home.rglob("*")} == {home.stat().st_uid}


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, sentence = refused(tmp_path / "ex", environment={"HAULPROOF_API_PORT": str(port)})
    assert code == 3
    assert f"127.0.0.1:{port} is taken" in sentence
    assert "set api_host and api_port" in sentence


def test_an_external_database_that_is_down_is_told(tmp_path: Path) -> None:
    url = "postgresql://haulproof:geheim@127.0.0.1:9/haulproof"
    code, sentence = refused(tmp_path / "ex", environment={"HAULPROOF_DATABASE_URL": url})
    assert code == 3
    assert "the database at 127.0.0.1 does not answer" in sentence
    assert "check database_url" in sentence
    assert "geheim" not in sentence


def test_an_external_broker_that_is_down_is_told(tmp_path: Path) -> None:
    code, sentence = refused(
        tmp_path / "ex", environment={"HAULPROOF_NATS_URL": "nats://127.0.0.1:9"}
    )
    assert code == 3
    assert "the broker at 127.0.0.1:9 does not answer" in sentence


@pytest.mark.root
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        code, sentence = refused(small / "ex")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert code == 3
    assert "is full: free some space" in sentence


def test_a_directory_without_permission_is_told(tmp_path: Path) -> None:
    place = Path("/proc/ex") if os.geteuid() == 0 else tmp_path / "closed" / "ex"
    if os.geteuid() != 0:
        place.parent.mkdir(mode=0o500)
    code, sentence = refused(place)
    assert code == 3
    assert str(place) in sentence


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_leaves_another_users_directory_alone(tmp_path: Path) -> None:
    """What root wrote there, that user's next start could not read."""
    place = tmp_path / "ex"
    place.mkdir(mode=0o700)
    os.chown(place, 47_999, 47_999)
    code, sentence = refused(place)
    assert code == 3
    assert "belongs to another user (uid 47999): start as that user" in sentence
    assert list(place.iterdir()) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_directory_that_may_not_be_read_is_no_wrong_usage(tmp_path: Path) -> None:
    roots = tmp_path / "ex"
    roots.mkdir(mode=0o700)
    process = start(roots, as_user=UNNAMED_UID)
    _, said = process.communicate(timeout=READY_S)
    assert process.returncode == 3
    assert "belongs to another user (root)" in said.splitlines()[-1]


def test_a_wrong_setting_is_told(tmp_path: Path) -> None:
    config = tmp_path / "exchange.toml"
    config.write_text("api_prot = 1\n")
    code, sentence = refused(tmp_path / "ex", "--config", str(config))
    assert code == 2
    assert "there is no setting api_prot" in sentence


def test_a_damaged_directory_is_told(tmp_path: Path) -> None:
    root = tmp_path / "ex"
    open_directory(Settings(dir=root))
    (root / "ports.json").write_text("{")
    code, sentence = refused(root)
    assert code == 3
    assert f"{root / 'ports.json'} is damaged" in sentence
