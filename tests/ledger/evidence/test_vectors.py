"""The evidence vectors that we publish, and those of statements, through both implementations."""

import json
from pathlib import Path
from typing import Any

import pytest
from pycddl import Schema

from ledger.evidence.file import decode
from ledger.evidence.independent import independent_verify
from ledger.evidence.independent.keys import read_key
from ledger.evidence.independent.statement import read_statement
from ledger.evidence.verify import verify_evidence
from ledger.policy import parse_policy
from tests.ledger.trees import VECTORS
from tests.vectors import evidence_generator

_FOLDER = evidence_generator.FOLDER
_VERDICTS: dict[str, dict[str, str]] = json.loads(
    (_FOLDER / evidence_generator.VERDICTS).read_text()
)
_STATEMENTS: dict[str, Any] = json.loads((VECTORS / "haulproof" / "statements.json").read_text())
_CDDL = Schema((Path(__file__).parents[3] / "ledger" / "evidence" / "evidence.cddl").read_text())


@pytest.mark.parametrize("name", _VERDICTS)
def test_a_published_file_is_judged_as_published_by_both(name: str) -> None:
    data, expected = (_FOLDER / name).read_bytes(), _VERDICTS[name]

    first = verify_evidence(data, parse_policy(expected["policy"].encode())).to_json()
    second = independent_verify(data, expected["policy"])

    reasons = first["reasons"]
    assert isinstance(reasons, list)
    assert first["verified"] is second["verified"] is (expected["reason"] == "")
    assert not expected["reason"] or expected["reason"] in reasons
    assert not expected["reason"] or expected["reason"] in second["reasons"]


def test_every_file_in_the_folder_is_one_of_the_vectors() -> None:
    assert {path.name for path in _FOLDER.glob("*.evidence")} == set(_VERDICTS)


def test_made_again_the_vectors_have_the_same_verdicts() -> None:
    files, verdicts = evidence_generator.render()

    assert verdicts == _VERDICTS
    assert set(files) == set(_VERDICTS)
    for name, data in files.items():
        again = verify_evidence(data, parse_policy(verdicts[name]["policy"].encode()))
        published = verify_evidence(
            (_FOLDER / name).read_bytes(), parse_policy(verdicts[name]["policy"].encode())
        )
        assert again.to_json() == published.to_json()


@pytest.mark.parametrize("name", _VERDICTS)
def test_a_published_file_is_what_the_cddl_says(name: str) -> None:
    data = (_FOLDER / name).read_bytes()

    decode(data)
    _CDDL.validate_cbor(data)


@pytest.mark.parametrize(
    "vector", _STATEMENTS["statements"], ids=lambda vector: f"{vector['suite']}-{vector['kind']}"
)
def test_the_second_implementation_reads_every_kind_under_every_suite(
    vector: dict[str, Any],
) -> None:
    key = read_key(bytes.fromhex(_STATEMENTS["keys"][vector["suite"]]), "bad-key-record")
    signed = read_statement(0, vector["kind"], bytes.fromhex(vector["statement"]))

    assert key.suite == vector["suite"]
    assert (key.verifier is None) == vector["suite"].startswith("ML-DSA")
    assert signed.verifies(key)
