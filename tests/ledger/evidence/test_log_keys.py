"""Which of a log's two keys a reader trusts, and what a file's checkpoint has to have of them."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.checkpoint import dual_sign, unverified_head
from ledger.cosignature import MLDSA44Cosigner
from ledger.evidence.file import decode, encode
from ledger.evidence.independent import independent_verify
from ledger.evidence.reasons import Code
from ledger.evidence.verify import verify_evidence
from ledger.note import NoteSignature, VKey, format_note, parse_note
from ledger.policy import Policy
from tests.ledger.evidence.world import ORIGIN, drive

_DRIVE = drive()
_ED25519 = _DRIVE.world.keys.log.vkey
_SIGNER = MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
_ML_DSA = _SIGNER.vkey
_SHORT = _DRIVE.trip_file()
_NOTE = dual_sign(unverified_head(decode(_SHORT).note)[0], decode(_SHORT).note, _SIGNER, 5)


def with_note(note: bytes) -> bytes:
    return encode(replace(decode(_SHORT), note=note))


def spoilt(key: VKey) -> bytes:
    """The note of both keys with a wrong signature of this one."""
    note = parse_note(_NOTE)
    lines = [
        replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
        if line.key_id == key.key_id
        else line
        for line in note.signatures
    ]
    return format_note(note.text, lines)


def codes(data: bytes, *trusted: VKey) -> list[Code]:
    return [finding.code for finding in verify_evidence(data, Policy(logs=trusted)).findings]


@pytest.mark.parametrize(
    "trusted",
    [(_ED25519,), (_ML_DSA,), (_ED25519, _ML_DSA)],
    ids=["the first", "the second", "both"],
)
def test_a_checkpoint_of_both_keys_verifies_by_either(trusted: tuple[VKey, ...]) -> None:
    assert codes(with_note(_NOTE), *trusted) == []


def test_who_trusts_the_second_key_alone_needs_its_signature() -> None:
    assert codes(_SHORT, _ML_DSA) == [Code.WRONG_LOG_KEY]
    assert codes(_SHORT, _ED25519, _ML_DSA) == []


@pytest.mark.parametrize("wrong", [_ED25519, _ML_DSA], ids=["the first", "the second"])
def test_a_wrong_signature_of_a_trusted_key_is_not_outweighed_by_the_other(wrong: VKey) -> None:
    other = _ML_DSA if wrong is _ED25519 else _ED25519

    assert codes(with_note(spoilt(wrong)), _ED25519, _ML_DSA) == [Code.BAD_CHECKPOINT_SIGNATURE]
    assert codes(with_note(spoilt(wrong)), other) == []


def test_a_signature_of_the_second_key_for_another_log_does_not_count() -> None:
    line = next(one for one in parse_note(_NOTE).signatures if one.key_id == _ML_DSA.key_id)
    stranger = MLDSA44Cosigner("log.example/other", MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
    moved = NoteSignature(stranger.vkey.name, stranger.vkey.key_id, line.signature)
    note = format_note(parse_note(_NOTE).text, [moved])

    assert codes(with_note(note), stranger.vkey) == [Code.WRONG_LOG_KEY]


def second_hand(data: bytes, *trusted: VKey) -> tuple[list[Any], list[Any]]:
    """The second implementation's reasons, and what it had to take on trust."""
    policy = "".join(f"log {key}\n" for key in trusted) + "quorum none\n"
    told = independent_verify(data, policy)
    return told["reasons"], told["unchecked_suites"]


@pytest.mark.parametrize(
    ("trusted", "unchecked"),
    [
        ((_ED25519,), []),
        ((_ML_DSA,), ["ML-DSA-44"]),
        ((_ED25519, _ML_DSA), ["ML-DSA-44"]),
    ],
    ids=["the first", "the second", "both"],
)
def test_the_second_hand_says_when_it_takes_the_second_key_on_trust(
    trusted: tuple[VKey, ...], unchecked: list[str]
) -> None:
    assert second_hand(with_note(_NOTE), *trusted) == ([], unchecked)


def test_the_second_hand_takes_nothing_on_trust_where_the_second_key_did_not_sign() -> None:
    assert second_hand(_SHORT, _ML_DSA) == (["wrong-log-key"], [])
    assert second_hand(_SHORT, _ED25519, _ML_DSA) == ([], [])


def test_a_wrong_signature_of_the_second_key_is_beyond_the_second_hand_which_says_so() -> None:
    data = with_note(spoilt(_ML_DSA))

    assert codes(data, _ED25519, _ML_DSA) == [Code.BAD_CHECKPOINT_SIGNATURE]
    assert second_hand(data, _ED25519, _ML_DSA) == ([], ["ML-DSA-44"])


@pytest.mark.parametrize(("head", "cut"), [(b"", -1), (b"\xff", None)], ids=["short", "no time"])
def test_a_line_of_the_second_key_in_no_form_of_its_own_is_refused_by_the_second_hand(
    head: bytes, cut: int | None
) -> None:
    note = parse_note(_NOTE)
    lines = [
        replace(line, signature=head + line.signature[len(head) : cut])
        if line.key_id == _ML_DSA.key_id
        else line
        for line in note.signatures
    ]
    data = with_note(format_note(note.text, lines))

    assert second_hand(data, _ED25519, _ML_DSA)[0] == ["bad-checkpoint-signature"]


def test_the_second_hand_reads_no_log_key_that_is_too_short() -> None:
    short = VKey(ORIGIN, _ML_DSA.type, _ML_DSA.public[:-1])

    assert second_hand(with_note(_NOTE), short)[0] == ["bad-policy"]
