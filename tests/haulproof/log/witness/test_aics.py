"""``aics-witness``, of other people from the same specification: it and ours understand each other.

``sh .ci/aics`` installs it.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exchange.transparency.model import Published
from exchange.witnesses.client import NoCosignature, WitnessClient
from exchange.witnesses.model import WitnessAddress
from ledger.checkpoint import TreeHead
from ledger.note import NoteSignature, VKey, parse_note, sign_note
from ledger.witness.cosigned import cosigned_by, with_lines
from ledger.witness.request import AddCheckpoint, format_request
from tests.exchange.mosquitto import free_port
from tests.haulproof.log.witness.conftest import AICS
from tests.haulproof.log.witness.process import WitnessProcess
from tests.ledger.witness.logs import SmallLog

LOG, FORK = SmallLog(), SmallLog(salt=b"other")
_DEADLINE_S = 30.0

_SUBMIT = """
import json, sys
from aics_witness.feeder import WitnessClient
url, vkey, note, sizes = json.load(sys.stdin)
proofs = {int(old): [bytes.fromhex(one) for one in proof] for old, proof in sizes.items()}
with WitnessClient(url, vkey, sleep=lambda s: None) as client:
    print(client.submit(note, lambda old, new: proofs[old]), end="")
"""
"""Their client, on a checkpoint of ours with the proofs from every size that could be asked for."""


class AicsWitness:
    """Theirs, as its own process."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "aics.json"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._run("init", "--name", "aics.example", "--listen", f"127.0.0.1:{port}")
        self._run("add-log", "--origin", LOG.origin, "--vkey", str(LOG.signer.vkey))
        status = self._run("status")
        text = next(word for word in status.split() if word.startswith("aics.example+"))
        self.vkey = VKey.parse(text)
        self._process = subprocess.Popen(
            [AICS / "bin" / "aics-witness", "serve", "--config", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._until_healthy()

    def post(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=_DEADLINE_S)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_DEADLINE_S)

    def _run(self, word: str, *words: str) -> str:
        return subprocess.run(
            [AICS / "bin" / "aics-witness", word, "--config", self._config, *words],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def _until_healthy(self) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            try:
                if httpx.get(f"{self.url}/healthz").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[AicsWitness]:
    started = AicsWitness(tmp_path)
    yield started
    started.close()


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[WitnessProcess]:
    started = WitnessProcess(tmp_path / "w", f"{LOG.signer.vkey}\n")
    yield started
    started.kill()


def test_theirs_cosigns_our_checkpoints_as_the_exchange_asks(theirs: AicsWitness) -> None:
    keys = {"aics": theirs.vkey}

    async def asked(*sizes: int) -> list[dict[str, NoteSignature]]:
        async with httpx.AsyncClient(timeout=_DEADLINE_S) as http:
            client = WitnessClient(http, WitnessAddress(theirs.url, keys), LOG.proof)
            return [
                await client.cosign(Published(LOG.note(size), size, LOG.head(size).root))
                for size in sizes
            ]

    for sizes in ((1, 20, 300), (300,)):  # the second time as after a restart, not knowing where
        for size, lines in zip(sizes, asyncio.run(asked(*sizes)), strict=True):
            note = parse_note(with_lines(LOG.note(size), lines.values()))
            assert cosigned_by(note, keys).times_s.keys() == {"aics"}
    with pytest.raises(NoCosignature, match="cosigned 300 leaves"):
        asyncio.run(asked(20))


def test_their_client_has_our_witness_cosign(ours: WitnessProcess) -> None:
    for vkey, size in ((ours.vkeys[0], 20), (ours.vkeys[0], 300)):
        proofs = {old: [one.hex() for one in LOG.proof(old, size)] for old in (0, 20) if old < size}
        given = json.dumps([ours.url, vkey, LOG.note(size).decode(), proofs])
        done = subprocess.run(
            [AICS / "bin" / "python", "-c", _SUBMIT],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        note = parse_note(LOG.note(size) + done.stdout.encode())
        assert cosigned_by(note, {"ours": VKey.parse(vkey)}).times_s.keys() == {"ours"}


def _wrong_root_of_nothing() -> bytes:
    note = sign_note(TreeHead(LOG.origin, 0, bytes(32)).text, LOG.signer)
    return format_request(AddCheckpoint(0, (), note))


REQUESTS = {
    "no request": b"nonsense",
    "an old size with a zero in front": LOG.body(0, 7).replace(b"old 0", b"old 00"),
    "another log": SmallLog(origin="other.example").body(0, 7),
    "the first": LOG.body(0, 7),
    "the same again": LOG.body(7, 7),
    "from nothing again": LOG.body(0, 9),
    "from a size that it never had": LOG.body(3, 9),
    "an old size beyond the checkpoint": format_request(AddCheckpoint(8, (), LOG.note(7))),
    "a fork of the same size": FORK.body(7, 7),
    "a fork that is larger": FORK.body(7, 9),
    "no proof": format_request(AddCheckpoint(7, (), LOG.note(9))),
    "a proof too many": format_request(AddCheckpoint(7, (bytes(32),), LOG.note(7))),
    "sixty-four hashes": format_request(AddCheckpoint(7, (bytes(32),) * 64, LOG.note(9))),
    "an extension": LOG.body(7, 9).split(b"\n\n")[0]
    + b"\n\n"
    + sign_note(LOG.head(9).text + b"more\n", LOG.signer),
    "one step on": LOG.body(7, 9),
    "the wrong root of an empty tree": _wrong_root_of_nothing(),
    "far on": LOG.body(9, 300),
}
"""In this order, to both."""


def test_both_give_the_same_answer_to_the_same_requests(
    theirs: AicsWitness, ours: WitnessProcess
) -> None:
    for name, body in REQUESTS.items():
        first, second = ours.post(body), theirs.post(body)

        assert (name, first.status_code) == (name, second.status_code)
        if first.status_code == httpx.codes.CONFLICT:
            assert first.content == second.content
            assert first.headers["content-type"] == second.headers["content-type"]
    shown = httpx.get(f"{theirs.url}/{WitnessProcess.hash_of(LOG.origin)}/checkpoint")
    assert parse_note(shown.content).text == LOG.head(300).text
    assert parse_note(ours.checkpoint(LOG.origin).content).text == LOG.head(300).text
