"""The reader's quorum: met by cosignatures of either form, told by name, the same in both hands."""

import pytest

from ledger.evidence.independent import independent_verify
from ledger.evidence.reasons import Code
from ledger.evidence.verify import verify_evidence
from ledger.note import NoteSigner
from ledger.policy import parse_policy
from tests.ledger.evidence.cosigned import FIRST, PQ, SECOND, cosigned_by, witness_policy
from tests.ledger.evidence.world import drive

DRIVE = drive()
POLICY = witness_policy(DRIVE.world)


@pytest.mark.parametrize(
    ("signers", "witnesses", "unchecked"),
    [
        ((FIRST, SECOND), ["first", "second"], []),
        ((PQ, FIRST), ["first", "second-pq"], ["ML-DSA-44"]),
        ((FIRST, SECOND, PQ), ["first", "second", "second-pq"], ["ML-DSA-44"]),
    ],
)
def test_a_quorum_of_either_form_is_met_and_told(
    signers: tuple[NoteSigner, ...], witnesses: list[str], unchecked: list[str]
) -> None:
    data = cosigned_by(DRIVE.full_file(), *signers)

    report = verify_evidence(data, parse_policy(POLICY))
    second = independent_verify(data, POLICY.decode())

    assert report.verified, report.sentences()
    assert report.to_json()["witnesses"] == witnesses
    assert f"cosigned by {', '.join(witnesses)}" in " ".join(report.sentences())
    assert second["verified"], second
    assert second["unchecked_suites"] == unchecked


@pytest.mark.parametrize("signers", [(), (FIRST,), (SECOND, PQ)])
def test_too_few_are_not_enough_and_those_there_are_named(signers: tuple[NoteSigner, ...]) -> None:
    data = cosigned_by(DRIVE.trip_file(), *signers)

    report = verify_evidence(data, parse_policy(POLICY))

    assert [finding.code for finding in report.findings] == [Code.QUORUM_NOT_MET]
    named = " ".join(report.sentences())
    assert all(name in named for name in report.witnesses)
    assert independent_verify(data, POLICY.decode())["reasons"] == ["quorum-not-met"]


def test_a_reader_who_asks_for_no_quorum_is_told_who_cosigned_all_the_same() -> None:
    policy = witness_policy(DRIVE.world, "none")
    data = cosigned_by(DRIVE.trip_file(), SECOND)

    report = verify_evidence(data, parse_policy(policy))

    assert report.verified
    assert report.witnesses == ("second",)
    assert independent_verify(data, policy.decode())["verified"]


def test_a_reader_who_knows_no_witness_ignores_their_lines() -> None:
    data = cosigned_by(DRIVE.trip_file(), FIRST, SECOND, PQ)

    report = verify_evidence(data, DRIVE.world.policy())

    assert report.verified
    assert report.witnesses == ()
    assert "asks for no witness" in " ".join(report.sentences())
    assert independent_verify(data, DRIVE.world.policy_text().decode())["verified"]


@pytest.mark.parametrize(
    "line",
    [
        "quorum nobody",
        "group g 3 first second\nquorum g",
        "group g 0 first second\nquorum g",
        "group g any third\nquorum g",
        "group g many first\nquorum g",
        f"witness short {str(FIRST.vkey)[:-8]}\nquorum none",
    ],
)
def test_the_second_hand_reads_no_policy_that_is_wrong(line: str) -> None:
    text = POLICY.decode().replace("quorum both", line)

    assert independent_verify(DRIVE.trip_file(), text)["reasons"] == ["bad-policy"]
