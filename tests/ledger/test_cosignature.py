"""Cosignatures: a published one, both forms, and every way in which one does not verify."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import TreeHead
from ledger.cosignature import Ed25519Cosigner, MLDSA44Cosigner, cosign, verify_cosignature
from ledger.note import (
    Ed25519NoteSigner,
    NoteRefused,
    NoteSignature,
    VKey,
    format_note,
    parse_note,
)
from tests.ledger.trees import VECTORS

_PUBLISHED: dict[str, Any] = json.loads(
    (VECTORS / "ledger" / "c2sp-tlog" / "torchwood-mldsa.json").read_text()
)
_HEAD = TreeHead("log.example/a", 7, bytes(range(32)))
_ED25519 = Ed25519Cosigner("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_ML_DSA = MLDSA44Cosigner("witness.example", MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
_FORMS = pytest.mark.parametrize("signer", [_ED25519, _ML_DSA], ids=["ed25519", "ml-dsa-44"])
_NOTES = {
    signer: format_note(_HEAD.text, [cosign(_HEAD, signer, 1_750_000_000)])
    for signer in (_ED25519, _ML_DSA)
}


def test_published_cosignature_of_a_log_verifies() -> None:
    key = VKey.parse(_PUBLISHED["vkey"])

    assert verify_cosignature(parse_note(_PUBLISHED["signed_note"].encode()), key) == 0


def test_log_of_the_published_seed_has_the_published_key() -> None:
    private = MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(_PUBLISHED["seed_hex"]))

    assert str(MLDSA44Cosigner("example.com/mldsa-log", private).vkey) == _PUBLISHED["vkey"]


@_FORMS
@given(size=st.integers(0, 2**63 - 1), time_s=st.integers(0, 2**63 - 1))
def test_cosigned_head_verifies_with_its_time(
    signer: Ed25519Cosigner | MLDSA44Cosigner, size: int, time_s: int
) -> None:
    head = TreeHead("log.example/a", size, bytes(32))
    note = parse_note(format_note(head.text, [cosign(head, signer, time_s)]))

    assert verify_cosignature(note, VKey.parse(str(signer.vkey))) == time_s


@_FORMS
def test_newest_of_several_times_is_told(signer: Ed25519Cosigner | MLDSA44Cosigner) -> None:
    lines = [cosign(_HEAD, signer, time_s) for time_s in (5, 9, 7)]

    assert verify_cosignature(parse_note(format_note(_HEAD.text, lines)), signer.vkey) == 9


@_FORMS
@given(place=st.integers(0), xor=st.integers(1, 255))
def test_changed_byte_is_refused(
    signer: Ed25519Cosigner | MLDSA44Cosigner, place: int, xor: int
) -> None:
    changed = bytearray(_NOTES[signer])
    changed[place % len(changed)] ^= xor

    with pytest.raises(NoteRefused):
        verify_cosignature(parse_note(bytes(changed)), signer.vkey)


@_FORMS
def test_cosignature_of_another_key_is_none(signer: Ed25519Cosigner | MLDSA44Cosigner) -> None:
    stranger = VKey(signer.vkey.name, signer.vkey.type, bytes(len(signer.vkey.public)))

    with pytest.raises(NoteRefused, match="no cosignature of that key"):
        verify_cosignature(parse_note(_NOTES[signer]), stranger)


@_FORMS
def test_one_wrong_line_of_a_key_spoils_its_right_one(
    signer: Ed25519Cosigner | MLDSA44Cosigner,
) -> None:
    right = cosign(_HEAD, signer, 5)
    wrong = NoteSignature(right.name, right.key_id, bytes([1]) + right.signature[1:])

    with pytest.raises(NoteRefused, match="does not verify"):
        verify_cosignature(parse_note(format_note(_HEAD.text, [right, wrong])), signer.vkey)


@_FORMS
@pytest.mark.parametrize(
    "damage",
    [lambda line: line[:-1], lambda line: line + b"\0", lambda line: b"\xff" + line[1:]],
    ids=["short", "long", "a time after the end"],
)
def test_line_of_another_length_or_time_is_refused(
    signer: Ed25519Cosigner | MLDSA44Cosigner, damage: Any
) -> None:
    line = cosign(_HEAD, signer, 5)
    changed = NoteSignature(line.name, line.key_id, damage(line.signature))

    with pytest.raises(NoteRefused):
        verify_cosignature(parse_note(format_note(_HEAD.text, [changed])), signer.vkey)


def test_name_of_the_cosigner_is_bound_by_its_ml_dsa_signature() -> None:
    line = cosign(_HEAD, _ML_DSA, 5)
    other = VKey("other.example", _ML_DSA.vkey.type, _ML_DSA.vkey.public)
    moved = NoteSignature(other.name, other.key_id, line.signature)

    with pytest.raises(NoteRefused, match="does not verify"):
        verify_cosignature(parse_note(format_note(_HEAD.text, [moved])), other)


def test_key_of_a_logs_own_ed25519_signature_does_not_cosign() -> None:
    log = Ed25519NoteSigner("log.example/a", Ed25519PrivateKey.generate())

    with pytest.raises(ValueError, match="0x01"):
        cosign(_HEAD, log, 5)
    with pytest.raises(NoteRefused, match="0x01"):
        verify_cosignature(parse_note(_NOTES[_ED25519]), log.vkey)


def test_checkpoint_with_a_line_more_is_not_cosigned() -> None:
    text = _HEAD.text + b"more\n"

    with pytest.raises(NoteRefused):
        verify_cosignature(parse_note(format_note(text, [cosign(_HEAD, _ML_DSA, 5)])), _ML_DSA.vkey)


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_times_out_of_range_are_not_signed(time_s: int) -> None:
    with pytest.raises(ValueError, match="2\\^63"):
        cosign(_HEAD, _ED25519, time_s)


def test_name_too_long_for_an_ml_dsa_message_is_not_signed() -> None:
    signer = MLDSA44Cosigner("w" * 256, MLDSA44PrivateKey.generate())

    with pytest.raises(ValueError, match="255"):
        cosign(_HEAD, signer, 5)


def test_an_ml_dsa_key_is_read_from_its_pem_and_no_other_key_is() -> None:
    pem = [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for key in (MLDSA44PrivateKey.from_seed_bytes(bytes(32)), Ed25519PrivateKey.generate())
    ]

    assert MLDSA44Cosigner.from_pem("witness.example", pem[0]).vkey == _ML_DSA.vkey
    with pytest.raises(ValueError, match="ML-DSA-44"):
        MLDSA44Cosigner.from_pem("witness.example", pem[1])
