"""What a witness says in its own log: an alarm is for what only the log itself can have done."""

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from haulproof.log.witness.app import make_app
from haulproof.log.witness.service import Witness
from haulproof.log.witness.store import WitnessStore
from ledger.witness.request import AddCheckpoint, format_request
from tests.ledger.witness.logs import SmallLog, ed25519_witness

LOG, FORK = SmallLog(20), SmallLog(20, salt=b"other")


@pytest.mark.parametrize(
    ("body", "level"),
    [
        (FORK.body(7, 7), logging.ERROR),
        (format_request(AddCheckpoint(7, (bytes(32),), LOG.note(9))), logging.WARNING),
    ],
    ids=["a fork", "a stranger's wrong proof"],
)
def test_a_fork_is_an_error_and_a_wrong_proof_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, body: bytes, level: int
) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    witness = Witness(
        [ed25519_witness(1)], store, {LOG.origin: LOG.known}, lambda: 1_750_000_000, lambda: 0.0
    )
    witness.add_checkpoint(LOG.body(0, 7))

    async def ask() -> httpx.Response:
        there = httpx.ASGITransport(make_app(witness))
        async with httpx.AsyncClient(transport=there, base_url="http://w") as http:
            return await http.post("/add-checkpoint", content=body)

    answer = asyncio.run(ask())
    store.close()

    assert answer.status_code == 422
    told = [one.levelno for one in caplog.records if one.name == "haulproof.log.witness.app"]
    assert told == [level]
