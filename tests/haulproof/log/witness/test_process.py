"""The witness as its own process: each answer of tlog-witness, and what a kill leaves."""

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.checkpoint import TreeHead, unverified_head
from ledger.cosignature import verify_cosignature
from ledger.note import VKey, parse_note, sign_note
from ledger.witness.cosigned import lines_in_answer, with_lines
from ledger.witness.request import REQUEST_BYTES_MAX, AddCheckpoint, format_request
from tests.haulproof.log.witness.process import WitnessProcess
from tests.ledger.witness.logs import SmallLog

LOG = SmallLog()
FORK = SmallLog(salt=b"other")


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    started = WitnessProcess(tmp_path / "w", f"{LOG.signer.vkey}\n")
    yield started
    started.kill()


def keys_of(witness: WitnessProcess) -> dict[str, VKey]:
    return {text: VKey.parse(text) for text in witness.vkeys}


def test_it_cosigns_with_both_keys_and_shows_monitors_what_it_cosigned(
    witness: WitnessProcess,
) -> None:
    assert witness.checkpoint(LOG.origin).status_code == 404
    before_s = int(time.time())

    answer = witness.post(LOG.body(0, 7))
    again = witness.post(LOG.body(7, 7))
    grown = witness.post(LOG.body(7, 300))

    assert [answer.status_code, again.status_code, grown.status_code] == [200, 200, 200]
    assert lines_in_answer(LOG.note(7), answer.content, keys_of(witness)).keys() == set(
        witness.vkeys
    )
    shown = witness.checkpoint(LOG.origin)
    note = parse_note(shown.content)
    assert unverified_head(shown.content)[0] == LOG.head(300)
    for key in keys_of(witness).values():
        assert verify_cosignature(note, key) >= before_s
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    assert witness.checkpoint("another.example/log").status_code == 404


def test_each_refusal_has_its_status(witness: WitnessProcess) -> None:
    assert witness.post(LOG.body(0, 7)).status_code == 200

    conflict = witness.post(LOG.body(3, 9))
    assert (conflict.status_code, conflict.text) == (409, "7\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert witness.post(b"nonsense").status_code == 400
    assert witness.post(format_request(AddCheckpoint(8, (), LOG.note(7)))).status_code == 400
    assert witness.post(SmallLog(origin="other.example").body(0, 7)).status_code == 404
    forged = sign_note(LOG.head(9).text, LOG.signer).replace(b"example/a ", b"example/a A", 1)
    assert witness.post(b"old 7\n\n" + forged).status_code in (400, 403)
    assert witness.post(FORK.body(7, 9)).status_code == 422
    assert witness.post(FORK.body(7, 7)).status_code == 422
    with_proof = format_request(AddCheckpoint(7, (bytes(32),), LOG.note(7)))
    assert witness.post(with_proof).status_code == 422
    assert witness.post(LOG.body(7, 9)).status_code == 200


def test_a_rolled_back_log_is_not_followed(witness: WitnessProcess) -> None:
    witness.post(LOG.body(0, 200))

    for old in (0, 100, 200):
        assert witness.post(LOG.body(min(old, 100), 100)).status_code == 409
    assert witness.post(format_request(AddCheckpoint(200, (), LOG.note(100)))).status_code == 400


def test_a_root_of_the_empty_tree_that_is_another_is_refused(witness: WitnessProcess) -> None:
    note = sign_note(TreeHead(LOG.origin, 0, bytes(32)).text, LOG.signer)

    assert witness.post(format_request(AddCheckpoint(0, (), note))).status_code == 422
    assert witness.post(LOG.body(0, 0)).status_code == 200


def test_a_body_that_is_too_large_is_not_read(witness: WitnessProcess) -> None:
    assert witness.post(bytes(REQUEST_BYTES_MAX + 1)).status_code == 413


def test_a_log_that_grows_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    text = f"logs/v0\nvkey {LOG.signer.vkey}\nqpd 10\ncontact nobody\n"
    witness = WitnessProcess(tmp_path / "w", text)
    try:
        answers = [witness.post(LOG.body(size, size + 1)) for size in range(21)]
    finally:
        witness.kill()

    assert {answer.status_code for answer in answers[:20]} == {200}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 1_000


def test_requests_at_once_never_roll_it_back(witness: WitnessProcess) -> None:
    witness.post(LOG.body(0, 10))
    sizes = [20, 30, 40, 50]
    answers: dict[int, httpx.Response] = {}

    def ask(size: int) -> None:
        answers[size] = witness.post(LOG.body(10, size))

    threads = [threading.Thread(target=ask, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    (won,) = [size for size in sizes if answers[size].status_code == 200]
    assert {answers[size].text for size in sizes if size != won} == {f"{won}\n"}


def test_it_ends_in_order_and_goes_on_where_it_was(witness: WitnessProcess) -> None:
    witness.post(LOG.body(0, 7))
    vkeys = witness.vkeys

    assert witness.stop() == 0
    witness.start()

    assert witness.vkeys == vkeys
    assert witness.post(LOG.body(0, 9)).text == "7\n"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs.txt").write_text(f"{LOG.signer.vkey}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        words = f"--dir w --logs logs.txt --name a.example --listen {address}".split()
        done = subprocess.run(
            [sys.executable, "-m", "haulproof", "log", "witness", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "--listen" in done.stderr


@pytest.mark.parametrize(
    ("kills", "seed"),
    [(4, 1), pytest.param(100, 2, marks=[pytest.mark.long, pytest.mark.timeout(1_200)])],
)
def test_what_it_cosigned_survives_every_kill(tmp_path: Path, kills: int, seed: int) -> None:
    """Killed while a log asks as fast as it can: no cosignature is ever taken back."""
    log = SmallLog(4_000)
    often = f"logs/v0\nvkey {log.signer.vkey}\nqpd {2**31 - 1}\ncontact nobody\n"
    witness = WitnessProcess(tmp_path / "w", often)
    rng = random.Random(seed)
    cosigned = 0
    try:
        for _ in range(kills):
            asking = _Asking(witness, log, cosigned)
            asking.start()
            assert asking.asked.wait(30)
            time.sleep(rng.uniform(0, 0.05))  # the moment of the kill is what is random
            witness.kill()
            asking.join(30)
            witness.start()
            kept = unverified_head(witness.checkpoint(log.origin).content)[0]
            assert kept == log.head(kept.size)
            assert kept.size in (asking.cosigned, asking.cosigned + 1)
            for size in (asking.cosigned, 1):
                assert witness.post(log.body(0, size)).text == f"{kept.size}\n"
            cosigned = kept.size
    finally:
        witness.kill()
    assert cosigned >= kills


class _Asking(threading.Thread):
    """A log that asks for one leaf more each time, until the witness is gone."""

    def __init__(self, witness: WitnessProcess, log: SmallLog, cosigned: int) -> None:
        super().__init__(daemon=True)
        self._url = f"{witness.url}/add-checkpoint"
        self._keys = keys_of(witness)
        self._log = log
        self.cosigned = cosigned
        self.asked = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=30) as http:
            while True:
                size = self.cosigned + 1
                try:
                    answer = http.post(self._url, content=self._log.body(size - 1, size))
                except httpx.TransportError:
                    return
                lines = lines_in_answer(self._log.note(size), answer.content, self._keys)
                assert with_lines(self._log.note(size), lines.values())
                self.cosigned = size
                self.asked.set()
