"""A monitor notices what a log must never do, and forgets nothing between two looks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haulproof.__main__ import main
from ledger.checkpoint import TreeHead, open_checkpoint, sign_checkpoint
from ledger.cosignature import Ed25519Cosigner, cosign
from ledger.merkle import EMPTY_ROOT, ProofRefused, verify_consistency
from ledger.note import Ed25519NoteSigner, format_note, parse_note
from tests.haulproof.log.web_server import Server, hosting, send, serving
from tests.ledger.made_log import ORIGIN, MadeLog

ROOT = Path(__file__).parents[3]
_DEADLINE_S = 60

Look = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(MadeLog()) as made, stamina.set_testing(True, attempts=2):
        yield made


@pytest.fixture
def look(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """Look once; exit code, the last JSON object, the sentences on standard error."""

    def once(url: str = "", **more: str) -> tuple[int, dict[str, Any], str]:
        told = {"--log-key": server.log.vkey, "--state": str(tmp_path / "state"), **more}
        words = [word for option in told.items() for word in option]
        code = main(["log", "monitor", url or server.url, "--once", "--json", *words])
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        return code, json.loads(lines[-1]) if lines else {}, printed.err

    return once


def test_each_look_tells_what_is_new(server: Server, look: Look) -> None:
    for size, read in ((0, 0), (3, 3), (3, 0), (700, 697)):
        checkpoint = server.log.publish(size)

        code, found, _ = look()

        assert code == 0
        assert (found["origin"], found["size"]) == (ORIGIN, size)
        assert found["root"] == checkpoint.head.root.hex()
        assert (found["entries_read"], found["forked"]) == (read, False)


def test_an_entry_is_read_once(server: Server, look: Look) -> None:
    server.log.publish(700)
    look()
    server.log.publish(800)
    server.asked.clear()

    look()

    bundles = [path for path in server.asked if "entries" in path]
    assert bundles == ["tile/entries/002", "tile/entries/003.p/32"]


def test_a_fork_is_kept_as_proof(server: Server, look: Look, tmp_path: Path) -> None:
    older = server.log.publish(300)
    look()
    server.log = server.log.forked_at(200)
    newer = server.log.publish(400)

    code, found, said = look()

    assert code == 1
    assert found["forked"] is True
    assert "has signed two histories" in said
    kept = json.loads(Path(found["fork_file"]).read_bytes())
    key = server.log.signer.vkey
    assert open_checkpoint(kept["older"].encode(), key) == older
    assert open_checkpoint(kept["newer"].encode(), key) == newer
    proof = [bytes.fromhex(node) for node in kept["proof"]]
    prefix = bytes.fromhex(kept["prefix_root"])
    verify_consistency(300, 400, proof, prefix, newer.head.root)
    with pytest.raises(ProofRefused):
        verify_consistency(300, 400, proof, older.head.root, newer.head.root)
    assert look()[0] == 1


def test_two_roots_of_one_size_are_a_fork(server: Server, look: Look) -> None:
    server.log.publish(9)
    look()
    server.log = server.log.forked_at(5)
    server.log.publish(9)

    code, found, _ = look()

    assert (code, found["forked"]) == (1, True)


def test_an_older_checkpoint_of_the_same_history_is_told(server: Server, look: Look) -> None:
    older = server.log.publish(300)
    server.log.publish(400)
    look()
    server.log.files["checkpoint"] = older.note

    code, found, _ = look()
    assert (code, found["older"], found["size"]) == (0, True, 300)

    server.log.publish(500)
    assert look()[1]["entries_read"] == 100


def test_a_log_that_was_rolled_back_is_told(server: Server, look: Look) -> None:
    server.log.publish(400)
    look()
    server.log.files.clear()
    server.log.publish(300)

    code, _, said = look()

    assert code == 1
    assert "a signed checkpoint covers it" in said


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000", "tile/entries/001.p/44"])
def test_a_lie_of_the_server_is_named(server: Server, look: Look, path: str) -> None:
    server.log.publish(300)
    server.log.files[path] = server.log.files[path][:-1] + b"?"

    code, _, said = look()

    assert code == 1
    assert path in said


def test_an_entry_that_is_not_served_is_named_and_read_later(server: Server, look: Look) -> None:
    server.log.publish(600)
    held = server.log.files.pop("tile/entries/001")

    code, _, said = look()
    assert code == 1
    assert "tile/entries/001 is not there" in said

    server.log.files["tile/entries/001"] = held
    code, found, _ = look()
    assert (code, found["entries_read"]) == (0, 600)


def test_a_key_that_is_not_trusted_ends_it(server: Server, look: Look) -> None:
    server.log.publish(3)
    other = MadeLog()

    code, _, said = look(**{"--log-key": other.vkey})

    assert code == 1
    assert "has no signature of that key" in said


def test_another_log_at_the_address_is_not_taken_for_it(
    server: Server, look: Look, tmp_path: Path
) -> None:
    server.log.publish(3)
    look()
    state = json.loads((tmp_path / "state").read_bytes())
    state["checkpoint"] = state["checkpoint"].replace(ORIGIN, "example.org/other")
    (tmp_path / "state").write_text(json.dumps(state))

    code, _, said = look()

    assert code == 1
    assert "example.org/other" in said


@pytest.mark.parametrize("state", [b"", b"[]", b"{}", b'{"format": "haulproof monitor 1"}'])
def test_a_state_that_is_damaged_is_wrong_usage(
    server: Server, look: Look, tmp_path: Path, state: bytes
) -> None:
    server.log.publish(3)
    (tmp_path / "state").write_bytes(state)

    code, _, said = look()

    assert code == 2
    assert "is no monitor's state" in said
    assert (tmp_path / "state").read_bytes() == state


def test_what_is_no_checkpoint_is_told(server: Server, look: Look) -> None:
    for body in (b"", b"hello\n", "<html>\n\n— a b\n".encode(), b"\xff" * 100):
        server.log.files["checkpoint"] = body
        code, _, said = look()
        assert code == 1
        assert "no checkpoint" in said


def test_a_name_from_outside_does_not_steer_the_terminal(server: Server, look: Look) -> None:
    name = "example.org/\x9b2J"
    stranger = Ed25519NoteSigner(name, Ed25519PrivateKey.generate())
    head = TreeHead(name, 0, EMPTY_ROOT)
    server.log.files["checkpoint"] = sign_checkpoint(head, stranger)

    code, _, said = look()

    assert code == 1
    assert "no key of the log example.org/?2J is trusted" in said


@pytest.mark.parametrize("every", ["", "0", "-1", "nan", "inf", "1e9", "soon"])
def test_an_interval_that_is_none_is_wrong_usage(
    every: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["log", "monitor", "http://127.0.0.1:9/log", f"--every={every}"])

    assert ended.value.code == 2
    assert "is not a number of seconds" in capsys.readouterr().err


def test_nobody_answering_is_the_environment(look: Look, server: Server) -> None:
    code, _, said = look("http://127.0.0.1:9/log")
    assert code == 3
    assert "no log answers" in said
    code, _, said = look(server.url)
    assert code == 3
    assert "has no checkpoint" in said


def test_without_a_key_nothing_is_trusted(
    server: Server,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert main(["log", "monitor", server.url, "--once"]) == 2

    assert "no log key is trusted" in capsys.readouterr().err


def test_the_witnesses_of_the_policy_are_asked_for(
    server: Server, look: Look, tmp_path: Path
) -> None:
    witness = Ed25519Cosigner("example.org/witness", Ed25519PrivateKey.generate())
    policy = tmp_path / "policy"
    policy.write_text(
        f"log {server.log.vkey}\nwitness w {witness.vkey}\nquorum w\n", encoding="utf-8"
    )
    checkpoint = server.log.publish(3)
    words = {"--policy": str(policy)}

    code, _, said = look(**words)
    assert code == 1
    assert "lacks cosignatures" in said

    signed = parse_note(checkpoint.note)
    line = cosign(checkpoint.head, witness, 1_700_000_000)
    server.log.files["checkpoint"] = format_note(signed.text, [*signed.signatures, line])
    code, found, _ = look(**words)
    assert (code, found["cosigned"]) == (0, ["w"])


def test_a_directory_and_its_web_server_are_followed(
    server: Server, look: Look, tmp_path: Path
) -> None:
    server.log.publish(600)
    server.log.write_to(tmp_path / "copy")

    assert look(f"file://{tmp_path}/copy")[1]["entries_read"] == 600
    with hosting(tmp_path) as url:
        assert look(f"{url}/copy")[:2][1]["entries_read"] == 0


def test_a_line_for_people(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = server.log.publish(1_234)
    words = ["--log-key", server.log.vkey, "--state", str(tmp_path / "state"), "--once"]

    assert main(["log", "monitor", server.url, *words]) == 0

    printed = capsys.readouterr().out
    assert f"{ORIGIN}  1,234 leaves, root {checkpoint.head.root.hex()[:16]}" in printed
    assert "1,234 new entries (1,234 other)" in printed


def test_without_a_file_named_the_state_is_the_users(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server.log.publish(3)

    assert main(["log", "monitor", server.url, "--log-key", server.log.vkey, "--once"]) == 0

    (state,) = (tmp_path / "haulproof" / "monitor").iterdir()
    assert json.loads(state.read_bytes())["read"] == 3


def test_following_goes_on_through_an_absence_until_interrupted(
    server: Server, tmp_path: Path
) -> None:
    server.log.publish(3)
    server.answers["checkpoint"] = lambda handler: send(handler, b"", 404)
    words = ["--log-key", server.log.vkey, "--state", str(tmp_path / "state"), "--json"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "haulproof",
            "log",
            "monitor",
            server.url,
            "--every",
            "0.05",
            *words,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "has no checkpoint" in process.stderr.readline()
        del server.answers["checkpoint"]
        assert json.loads(process.stdout.readline())["size"] == 3
        server.log.publish(40)
        until = time.monotonic() + _DEADLINE_S
        while json.loads(process.stdout.readline())["size"] != 40:
            assert time.monotonic() < until
        process.send_signal(signal.SIGINT)
        assert process.wait(_DEADLINE_S) == 130
    finally:
        process.kill()
        process.communicate()
