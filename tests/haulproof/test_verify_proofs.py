"""``haulproof verify`` with receipts, tlog-proofs, transparent statements and whole logs."""

import json
from pathlib import Path

import pytest

from haulproof import verify
from haulproof.given import EXIT_NOT_VERIFIED, EXIT_UNREADABLE, EXIT_VERIFIED
from ledger.transparent import attach
from tests.ledger.evidence.proof_files import (
    consistency_receipt_of,
    leaf_hash_of,
    log_files,
    note_of,
    receipt_of,
    tlog_proof_of,
    transparent_of,
)
from tests.ledger.evidence.world import drive

DRIVE = drive()
WORLD, TRIP = DRIVE.world, DRIVE.trip


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder with a trip's statement, its proofs in each form, the log, and the policy."""
    held = {
        "trip.cose": WORLD.raw(TRIP),
        "other.cose": WORLD.raw(DRIVE.readings[0]),
        "trip.receipt": receipt_of(WORLD, TRIP),
        "grown.receipt": consistency_receipt_of(WORLD, 5),
        "older.note": note_of(WORLD, 5),
        "mixed.scitt": attach(WORLD.raw(TRIP), [b"another sort", receipt_of(WORLD, TRIP)]),
        "foreign.scitt": attach(WORLD.raw(TRIP), [b"another sort"]),
        "trip.scitt": transparent_of(WORLD, TRIP),
        "trip.tlog-proof": tlog_proof_of(WORLD, TRIP),
        "trip.evidence": DRIVE.trip_file(),
        "policy.txt": WORLD.policy_text(),
        "elsewhere.note": WORLD.note(),
        **{f"log/{path}": data for path, data in log_files(WORLD).items()},
    }
    for name, data in held.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return tmp_path


def run(given: Path, *words: str, policy: str = "policy.txt") -> int:
    """The command with the names of the folder's files as they are given there."""
    places = [str(given / word) if (given / word).exists() else word for word in words]
    return verify.main([*places, "--policy", str(given / policy)])


PROOFS = [
    ("receipt", ["trip.receipt", "--statement", "trip.cose"]),
    ("transparent", ["trip.scitt"]),
    ("transparent", ["mixed.scitt"]),
    ("consistency", ["grown.receipt", "--older", "older.note"]),
    ("tlog-proof", ["trip.tlog-proof", "--statement", "trip.cose"]),
    ("tlog-proof", ["trip.tlog-proof", "--leaf", leaf_hash_of(WORLD, TRIP).hex()]),
    ("tiles", ["log", "--statement", "trip.cose"]),
    ("tiles", ["log/checkpoint"]),
    ("tiles", ["elsewhere.note", "--tiles", "log"]),
]


@pytest.mark.parametrize(("kind", "words"), PROOFS)
def test_each_is_known_by_its_content_and_verified(
    given: Path, kind: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, *words) == EXIT_VERIFIED
    text = capsys.readouterr().out
    assert text.startswith("Verified: ")
    assert "not shown" in text

    assert run(given, *words, "--json") == EXIT_VERIFIED
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verified"], answer["kind"]) == (True, kind)
    assert answer["log_size"] == len(WORLD.statements)


def test_names_of_files_say_nothing(given: Path) -> None:
    (given / "trip.tlog-proof").rename(given / "trip.receipt")

    assert run(given, "trip.receipt", "--statement", "trip.cose") == EXIT_VERIFIED


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["trip.receipt", "--statement", "other.cose"], "bad-receipt"),
        (["trip.tlog-proof", "--statement", "other.cose"], "not-in-log"),
        (["trip.tlog-proof", "--leaf", "00" * 32], "not-in-log"),
        (["log", "--leaf", "00" * 32], "not-in-log"),
    ],
)
def test_another_leaf_is_not_verified(
    given: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, *words) == EXIT_NOT_VERIFIED
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("words", [words for _, words in PROOFS])
def test_without_a_trusted_log_nothing_is_verified(
    given: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (given / "nobody.txt").write_text("quorum none\n")

    assert run(given, *words, policy="nobody.txt") == EXIT_NOT_VERIFIED
    assert "no-trusted-log-key" in capsys.readouterr().out


def test_a_log_with_a_changed_file_is_not_verified(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tile = next((given / "log" / "tile" / "0").rglob("*.p")) / str(len(WORLD.statements))
    tile.write_bytes(bytes(len(tile.read_bytes())))

    assert run(given, "log") == EXIT_NOT_VERIFIED
    assert "wrong-tile" in capsys.readouterr().out
    tile.unlink()
    assert run(given, "log") == EXIT_NOT_VERIFIED
    assert "missing-tile" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["trip.receipt"], "give the statement with --statement"),
        (["trip.tlog-proof"], "give the statement with --statement"),
        (["trip.cose"], "a statement alone is in no log"),
        (["elsewhere.note"], "with --tiles DIR"),
        (["grown.receipt", "--statement", "trip.cose"], "give the older checkpoint with --older"),
        (["grown.receipt"], "give the older checkpoint with --older"),
        (["foreign.scitt"], "none of the receipts in this statement"),
        (["trip.scitt", "--statement", "trip.cose"], "leave --statement and --leaf out"),
        (["trip.evidence", "--statement", "trip.cose"], "holds all that it is about"),
        (["trip.scitt", "--recompute"], "are for evidence files"),
        (["trip.receipt", "--leaf", "12"], "64 hexadecimal digits"),
        (["trip.receipt", "--statement", "policy.txt"], "holds no statement"),
        (["trip.receipt", "--statement", "nowhere"], "cannot be read: no such file"),
        (["."], "checkpoint cannot be read"),
    ],
)
def test_what_cannot_be_judged_is_one_sentence_that_says_what_to_do(
    given: Path, words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, *words) == EXIT_UNREADABLE

    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["trip.receipt", "trip.scitt", "trip.tlog-proof"])
@pytest.mark.parametrize("cut", [1, 3, 60, 200])
def test_a_file_cut_short_is_never_verified(
    given: Path, name: str, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (given / name).read_bytes()
    (given / name).write_bytes(data[:-cut])
    about = [] if name == "trip.scitt" else ["--statement", "trip.cose"]

    assert run(given, name, *about) in (EXIT_NOT_VERIFIED, EXIT_UNREADABLE)
    assert "Verified" not in capsys.readouterr().out.replace("Not verified", "")
