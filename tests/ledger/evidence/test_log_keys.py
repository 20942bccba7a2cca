"""Which of a log's two keys a reader trusts, and what a file's checkpoint has to have of them."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.checkpoint import dual_sign, unverified_head
from ledger.cosignature import MLDSA44Cosigner
from ledger.evidence.file import decode, encode
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
