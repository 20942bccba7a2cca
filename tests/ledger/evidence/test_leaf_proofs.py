"""One leaf by receipt or tlog-proof, and a log by its tiles, judged by the reader's policy."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger import receipt as receipts
from ledger.evidence.leaf_proofs import (
    Leaf,
    leaf_of,
    verify_grown,
    verify_receipts,
    verify_tiles,
    verify_tlog_proof,
)
from ledger.evidence.leaf_report import LeafReport
from ledger.evidence.reasons import Code
from ledger.merkle import ProofRefused
from ledger.policy import Policy, parse_policy
from ledger.tlog_proof import parse_proof
from ledger.transparent import detach
from schemas.errors import StatementRefused
from tests.ledger.evidence.proof_files import (
    consistency_receipt_of,
    forked_note,
    leaf_hash_of,
    log_files,
    note_of,
    receipt_of,
    tlog_proof_of,
    transparent_of,
)
from tests.ledger.evidence.world import ORIGIN, Keys, drive, log_key

DRIVE = drive()
WORLD, TRIP = DRIVE.world, DRIVE.trip
POLICY = WORLD.policy()
LEAF = leaf_of(WORLD.raw(TRIP))
NOBODY = Policy()
STRANGER = drive(Keys(log=log_key(9)))
WITNESSED = parse_policy(
    f"log {WORLD.keys.log.vkey}\nwitness w {log_key(7, 'w.example').vkey}\nquorum w\n".encode()
)


def by_receipt(leaf: Leaf = LEAF, policy: Policy = POLICY, raw: bytes | None = None) -> LeafReport:
    return verify_receipts([receipts.parse(raw or receipt_of(WORLD, TRIP))], leaf, policy)


def by_tlog_proof(
    leaf: Leaf = LEAF, policy: Policy = POLICY, raw: bytes | None = None
) -> LeafReport:
    return verify_tlog_proof(parse_proof(raw or tlog_proof_of(WORLD, TRIP)), leaf, policy)


def by_tiles(
    leaf: Leaf | None = LEAF, policy: Policy = POLICY, files: dict[str, bytes] | None = None
) -> LeafReport:
    held = files or log_files(WORLD)
    return verify_tiles(held["checkpoint"], held.get, policy, leaf)


WAYS = pytest.mark.parametrize("judge", [by_receipt, by_tlog_proof, by_tiles])


def reasons(report: LeafReport) -> set[str]:
    return {str(finding.code) for finding in report.findings}


@WAYS
def test_a_leaf_that_the_trusted_log_holds_is_verified(judge: object) -> None:
    report: LeafReport = judge()  # type: ignore[operator]

    assert report.verified
    assert report.to_json() == {
        "verified": True,
        "kind": report.kind,
        "statements": 1,
        "log_size": len(WORLD.statements),
        "log_origin": ORIGIN,
        "signers": [],
        "witnesses": [],
        "recomputed": None,
        "reasons": [],
        "leaf": leaf_hash_of(WORLD, TRIP).hex(),
        "index": TRIP,
        "digest": LEAF.statement.digest.hex() if LEAF.statement else None,
        "older": None,
    }
    text = " ".join(report.sentences())
    assert f"leaf {TRIP}" in text.lower()
    assert "That hp:exchange signed the statement is not shown" in text
    assert "no witness was counted" in text


@WAYS
def test_a_leaf_hash_is_enough_and_says_less(judge: object) -> None:
    report: LeafReport = judge(Leaf(LEAF.hash))  # type: ignore[operator]

    assert report.verified
    assert report.to_json()["statements"] == 0
    assert any("give it with --statement" in line for line in report.sentences())


@WAYS
@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (NOBODY, Code.NO_TRUSTED_LOG_KEY),
        (STRANGER.world.policy(), Code.WRONG_LOG_KEY),
        (WITNESSED, Code.QUORUM_NOT_MET),
    ],
)
def test_what_the_policy_does_not_trust_is_refused(
    judge: object, policy: Policy, code: Code
) -> None:
    report: LeafReport = judge(policy=policy)  # type: ignore[operator]

    assert reasons(report) == {code}
    assert report.sentences()[0].startswith("Not verified")


@pytest.mark.parametrize(
    ("judge", "code"),
    [
        (by_receipt, Code.BAD_RECEIPT),
        (by_tlog_proof, Code.NOT_IN_LOG),
        (by_tiles, Code.NOT_IN_LOG),
    ],
)
def test_another_leaf_is_refused(judge: object, code: Code) -> None:
    assert reasons(judge(Leaf(bytes(32)))) == {code}  # type: ignore[operator]


@WAYS
def test_a_statement_that_names_another_log_is_refused(judge: object) -> None:
    statement = LEAF.statement
    assert statement is not None
    moved = statement._replace(header=replace(statement.header, origin="log.example/b"))

    assert reasons(judge(Leaf(LEAF.hash, moved))) == {Code.WRONG_ORIGIN}  # type: ignore[operator]


def test_a_forged_log_with_the_right_name_is_refused() -> None:
    leaf = leaf_of(STRANGER.world.raw(STRANGER.trip))

    found = by_receipt(leaf, raw=receipt_of(STRANGER.world, STRANGER.trip))
    assert reasons(found) == {Code.WRONG_LOG_KEY}
    found = by_tlog_proof(leaf, raw=tlog_proof_of(STRANGER.world, STRANGER.trip))
    assert reasons(found) == {Code.WRONG_LOG_KEY}


def test_one_good_receipt_of_several_is_enough() -> None:
    strange = receipts.parse(receipt_of(STRANGER.world, STRANGER.trip))
    good = receipts.parse(receipt_of(WORLD, TRIP))

    assert verify_receipts([strange, good], LEAF, POLICY).verified
    assert not verify_receipts([strange], LEAF, POLICY).verified


OLDER = 5


def grown(
    older: bytes | None = None, policy: Policy = POLICY, raw: bytes | None = None
) -> LeafReport:
    note = note_of(WORLD, OLDER) if older is None else older
    return verify_grown(receipts.parse(raw or consistency_receipt_of(WORLD, OLDER)), note, policy)


def test_a_log_that_grew_from_the_readers_own_checkpoint_is_verified() -> None:
    report = grown()

    assert report.verified
    assert report.to_json()["older"] == OLDER
    assert f"begins with the {OLDER} leaves" in report.sentences()[0]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (grown(policy=NOBODY), Code.NO_TRUSTED_LOG_KEY),
        (grown(policy=STRANGER.world.policy()), Code.WRONG_LOG_KEY),
        (grown(policy=WITNESSED), Code.QUORUM_NOT_MET),
        (grown(note_of(STRANGER.world, OLDER)), Code.WRONG_LOG_KEY),
        (grown(note_of(WORLD, OLDER + 1)), Code.BAD_RECEIPT),
        (grown(forked_note(WORLD, OLDER)), Code.BAD_RECEIPT),
        (grown(b"no note"), Code.BAD_CHECKPOINT),
        (grown(raw=receipt_of(WORLD, TRIP)), Code.BAD_RECEIPT),
    ],
)
def test_a_log_that_did_not_grow_from_it_is_refused(report: LeafReport, code: Code) -> None:
    assert code in {finding.code for finding in report.findings}
    assert not report.verified


def changed_bits(raw: bytes) -> Iterator[tuple[int, bytes]]:
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            yield place, bytes(changed)


def test_no_tlog_proof_with_a_changed_bit_verifies() -> None:
    for place, changed in changed_bits(tlog_proof_of(WORLD, TRIP)):
        try:
            read = parse_proof(changed)
        except ProofRefused:
            continue
        assert not verify_tlog_proof(read, LEAF, POLICY).verified, place


def test_no_transparent_statement_with_a_changed_bit_verifies() -> None:
    for place, changed in changed_bits(transparent_of(WORLD, TRIP)):
        try:
            held = detach(changed)
            read, leaf = receipts.parse(held.receipts[0]), leaf_of(held.statement)
        except StatementRefused:
            continue
        assert not verify_receipts([read], leaf, POLICY).verified, place


def test_a_log_without_a_file_is_refused_and_says_which() -> None:
    files = log_files(WORLD)
    bundle = next(path for path in files if "entries" in path)

    found = by_tiles(None, files={path: files[path] for path in files if path != bundle})
    assert reasons(found) == {Code.MISSING_TILE}
    assert bundle in " ".join(found.sentences())
    found = by_tiles(None, files={**files, bundle: files[bundle][:-1] + b"x"})
    assert reasons(found) == {Code.WRONG_TILE}


def test_a_whole_log_is_verified_without_a_leaf() -> None:
    report = by_tiles(None)

    assert report.verified
    assert report.to_json()["leaf"] is None
    assert f"all of its {len(WORLD.statements)} entries" in report.sentences()[0]
