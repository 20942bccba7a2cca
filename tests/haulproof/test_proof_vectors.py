"""The vectors of receipts and tlog-proofs that we publish, as ``haulproof verify`` judges them."""

import json
from typing import Any

import pytest

from haulproof.given import CannotVerify, sort_of
from haulproof.verify_leaf import About, judge_leaf
from ledger import receipt as receipts
from ledger.policy import parse_policy
from tests.ledger.evidence.forged_proofs import UNREADABLE
from tests.vectors import proofs_generator

_FOLDER = proofs_generator.FOLDER
_VERDICTS: dict[str, Any] = json.loads((_FOLDER / proofs_generator.VERDICTS).read_text())
_REASONS: dict[str, str] = _VERDICTS["reasons"]
_POLICY = parse_policy(_VERDICTS["policy"].encode())


def judged(name: str, data: bytes) -> str:
    """The first reason, empty when verified."""
    statement = None if name.endswith(".scitt") else _FOLDER / proofs_generator.STATEMENT
    try:
        report = judge_leaf(sort_of(data), data, About(statement=statement), _POLICY)
    except CannotVerify:
        return UNREADABLE
    assert report.verified == (not report.findings)
    return str(report.findings[0].code) if report.findings else ""


@pytest.mark.parametrize("name", _REASONS)
def test_a_published_proof_is_judged_as_published(name: str) -> None:
    assert judged(name, (_FOLDER / name).read_bytes()) == _REASONS[name]


def test_every_file_in_the_folder_is_one_of_the_vectors() -> None:
    files, verdicts = proofs_generator.render()

    held = {path.name for path in _FOLDER.iterdir()}
    assert held == {*files, proofs_generator.VERDICTS, "README.md"}
    assert verdicts["reasons"] == _REASONS
    assert set(files) == {*_REASONS, proofs_generator.STATEMENT, "log.consistency-receipt"}


def test_the_published_consistency_receipt_verifies() -> None:
    read = receipts.parse((_FOLDER / "log.consistency-receipt").read_bytes())
    older_root = bytes.fromhex(_VERDICTS["older_root"])

    assert read.proof == receipts.Consistency(
        _VERDICTS["older_size"], read.proof.size, read.proof.path
    )
    receipts.verify_consistency_receipt(read, _POLICY.logs[0], older_root)


def test_forged_is_forged_and_good_is_there() -> None:
    assert sum(not reason for reason in _REASONS.values()) == 3
    assert len(_REASONS) > 30
