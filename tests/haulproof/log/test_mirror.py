"""A mirror is a verified copy: whole at every moment, never set back, never of two histories."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from haulproof.__main__ import main
from ledger.tile_directory import writing
from tests.faults.small_disks import fill, small_disk
from tests.haulproof.log.web_server import Server, hosting, serving
from tests.ledger.made_log import MadeLog
from tests.ledger.second_recheck import from_directory, from_http, recheck

ROOT = Path(__file__).parents[3]
_DEADLINE_S = 60

Mirror = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(MadeLog()) as made, stamina.set_testing(True, attempts=2):
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def mirror(server: Server, root: Path, capsys: pytest.CaptureFixture[str]) -> Mirror:
    """Mirror once; exit code, the last JSON object, the sentences on standard error."""

    def once(url: str = "", folder: Path = root) -> tuple[int, dict[str, Any], str]:
        key = server.log.vkey
        words = ["log", "mirror", url or server.url, str(folder), "--log-key", key, "--json"]
        code = main(words)
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        return code, json.loads(lines[-1]) if lines else {}, printed.err

    return once


def test_a_mirror_grows_with_the_log_and_passes_the_recheck(
    server: Server, mirror: Mirror, root: Path
) -> None:
    for size, copied in ((0, 0), (3, 3), (3, 0), (5_000, 4_997)):
        server.log.publish(size)

        code, found, _ = mirror()

        assert code == 0
        assert (found["size"], found["leaves_copied"], found["dir"]) == (size, copied, str(root))
        assert recheck(from_directory(root), server.log.vkey) == size


def test_a_mirror_is_hosted_and_mirrored_again(
    server: Server, mirror: Mirror, root: Path, tmp_path: Path
) -> None:
    server.log.publish(3_000)
    mirror()

    with hosting(root) as url, httpx.Client() as client:
        assert recheck(from_http(client, url), server.log.vkey) == 3_000
        assert mirror(url, tmp_path / "second")[0] == 0
    assert mirror(f"file://{root}", tmp_path / "third")[0] == 0
    for name in ("second", "third"):
        assert recheck(from_directory(tmp_path / name), server.log.vkey) == 3_000


def test_what_is_there_is_not_fetched_again(server: Server, mirror: Mirror, root: Path) -> None:
    server.log.publish(1_000)
    held = server.log.files.pop("tile/entries/003.p/232")
    assert mirror()[0] == 1
    assert not (root / "checkpoint").exists()
    server.log.files["tile/entries/003.p/232"] = held
    server.asked.clear()

    assert mirror()[0] == 0

    assert "tile/entries/003.p/232" in server.asked
    assert not {"tile/entries/000", "tile/0/000"} & set(server.asked)
    assert recheck(from_directory(root), server.log.vkey) == 1_000


def test_a_fork_is_not_mirrored_and_is_kept_as_proof(
    server: Server, mirror: Mirror, root: Path
) -> None:
    server.log.publish(300)
    mirror()
    sound = server.log
    server.log = server.log.forked_at(200)
    server.log.publish(400)

    code, found, said = mirror()

    assert (code, found["forked"]) == (1, True)
    kept = root.with_name(f"{root.name}.fork-300-400.json")
    assert str(kept) in said
    assert {"older", "newer", "proof", "prefix_root", "origin"} == set(json.loads(kept.read_text()))
    assert recheck(from_directory(root), sound.vkey) == 300


def test_an_older_checkpoint_does_not_set_the_mirror_back(
    server: Server, mirror: Mirror, root: Path
) -> None:
    older = server.log.publish(300)
    server.log.publish(400)
    mirror()
    server.log.files["checkpoint"] = older.note

    assert mirror()[:2][0] == 0

    assert recheck(from_directory(root), server.log.vkey) == 400


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000", "tile/entries/001.p/44"])
def test_a_lie_of_the_server_is_not_written_down(
    server: Server, mirror: Mirror, root: Path, path: str
) -> None:
    server.log.publish(300)
    server.log.files[path] = server.log.files[path][:-1] + b"?"

    code, _, said = mirror()

    assert code == 1
    assert path in said
    assert not (root / path).exists()
    assert not (root / "checkpoint").exists()


def test_a_damaged_file_of_the_mirror_is_named(server: Server, mirror: Mirror, root: Path) -> None:
    server.log.publish(300)
    mirror()
    server.log.publish(301)
    (root / "tile/0/001.p/45").parent.mkdir(exist_ok=True)
    (root / "tile/0/001.p/45").write_bytes(b"?")

    code, _, said = mirror()

    assert code == 1
    assert str(root / "tile/0/001.p/45") in said


def test_two_mirrors_do_not_write_into_one_directory(
    server: Server, mirror: Mirror, root: Path
) -> None:
    server.log.publish(3)
    with writing(root):
        code, _, said = mirror()

    assert code == 3
    assert "by another process" in said


@pytest.mark.root
def test_a_disk_that_is_read_only_is_told(server: Server, mirror: Mirror) -> None:
    server.log.publish(3)

    code, _, said = mirror(folder=Path("/proc/copy"))

    assert code == 3
    assert "/proc/copy" in said


@pytest.mark.root
def test_a_full_disk_is_told_and_the_copy_goes_on(
    server: Server, mirror: Mirror, tmp_path: Path
) -> None:
    server.log.publish(300)
    with small_disk(tmp_path / "disk", 2) as disk:
        assert mirror(folder=disk / "copy")[0] == 0
        server.log.publish(2_000)
        filler = fill(disk)

        code, _, said = mirror(folder=disk / "copy")

        assert code == 3
        assert f"the disk under {disk / 'copy'} is full" in said
        assert recheck(from_directory(disk / "copy"), server.log.vkey) == 300
        filler.unlink()
        assert mirror(folder=disk / "copy")[0] == 0
        assert recheck(from_directory(disk / "copy"), server.log.vkey) == 2_000


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1_800)])]
)
def test_a_killed_mirror_is_a_whole_log_and_goes_on(
    server: Server, root: Path, mirror: Mirror, kills: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    size = 5_000
    for _ in range(kills):
        server.log.publish(size)
        _mirror_and_kill(server, root, rng)
        if (root / "checkpoint").exists():
            recheck(from_directory(root), server.log.vkey)
        size += rng.randrange(1, 1_500)
    server.log.publish(size)

    assert mirror()[1]["size"] == size
    assert recheck(from_directory(root), server.log.vkey) == size


def _mirror_and_kill(server: Server, root: Path, rng: random.Random) -> None:
    asked = len(server.asked)
    words = ["log", "mirror", server.url, str(root), "--log-key", server.log.vkey]
    process = subprocess.Popen(
        [sys.executable, "-m", "haulproof", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    kill_after = asked + rng.randrange(1, 40)
    until = time.monotonic() + _DEADLINE_S
    while len(server.asked) < kill_after and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(_DEADLINE_S)


def test_following_copies_as_the_log_grows(server: Server, root: Path) -> None:
    server.log.publish(3)
    words = ["log", "mirror", server.url, str(root), "--log-key", server.log.vkey]
    process = subprocess.Popen(
        [sys.executable, "-m", "haulproof", *words, "--follow", "--every", "0.05", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["size"] == 3
        server.log.publish(700)
        until = time.monotonic() + _DEADLINE_S
        while json.loads(process.stdout.readline())["size"] != 700:
            assert time.monotonic() < until
        process.send_signal(signal.SIGINT)
        assert process.wait(_DEADLINE_S) == 130
    finally:
        process.kill()
        process.communicate()
    assert recheck(from_directory(root), server.log.vkey) == 700
