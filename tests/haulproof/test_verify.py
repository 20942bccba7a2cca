"""``haulproof verify`` reads what it is given, and no more of it than an evidence file can have."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from haulproof import verify
from haulproof.given import EXIT_NOT_VERIFIED, EXIT_UNREADABLE, EXIT_VERIFIED
from haulproof.verify import policy_text
from ledger.evidence import file
from ledger.note import VKey
from ledger.policy import parse_policy
from tests.ledger.evidence.cosigned import FIRST, SECOND, cosigned_by, witness_policy
from tests.ledger.evidence.world import drive, log_key

_DRIVE = drive()


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.txt"
    path.write_bytes(_DRIVE.world.policy_text())
    return str(path)


@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_a_file_without_end_is_refused_and_not_held_in_memory(
    policy: str, limit: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "FILE_BYTES_MAX", limit)
    monkeypatch.setattr(file, "FILE_BYTES_MAX", limit)

    assert verify.main(["/dev/zero", "--policy", policy]) == EXIT_UNREADABLE
    assert f"the file has more than {limit} bytes" in capsys.readouterr().err


def test_a_pipe_is_read_to_its_end(tmp_path: Path, policy: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(_DRIVE.trip_file())

    assert verify.main([f"/dev/fd/{reading}", "--policy", policy]) == EXIT_VERIFIED
    os.close(reading)


def test_both_hands_hold_a_file_against_the_witnesses_that_the_policy_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "witnesses.txt"
    asked.write_bytes(witness_policy(_DRIVE.world))
    told: list[dict[str, Any]] = []
    codes = []
    for name, signers in (("enough", (FIRST, SECOND)), ("short", (FIRST,))):
        file_ = tmp_path / f"{name}.evidence"
        file_.write_bytes(cosigned_by(_DRIVE.trip_file(), *signers))
        words = [str(file_), "--policy", str(asked), "--independent", "--json"]
        codes.append(verify.main(words))
        told.append(json.loads(capsys.readouterr().out))

    assert codes == [EXIT_VERIFIED, EXIT_NOT_VERIFIED]
    assert [one["witnesses"] for one in told] == [["first", "second"], ["first"]]
    assert [one["reasons"] for one in told] == [[], ["quorum-not-met"]]
    assert [one["independent"]["verified"] for one in told] == [True, False]


def test_a_user_without_a_home_trusts_nothing_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's user may have no name: then nobody knows its home."""
    evidence = tmp_path / "trip.evidence"
    evidence.write_bytes(_DRIVE.trip_file())

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    for name in ("HAULPROOF_POLICY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    assert verify.main([str(evidence)]) == EXIT_NOT_VERIFIED
    assert "no-trusted-log-key" in capsys.readouterr().out


def test_a_log_key_that_the_policy_has_with_an_address_is_not_trusted_twice(tmp_path: Path) -> None:
    key = str(log_key(1).vkey)
    policy = tmp_path / "policy.txt"
    for line in (f"log {key}", f"log {key} https://log.example"):
        policy.write_text(f"{line}\nquorum none\n")

        assert parse_policy(policy_text(policy, key).encode()).logs == (VKey.parse(key),)
