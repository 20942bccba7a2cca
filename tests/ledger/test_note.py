"""Signed notes: the specification's example, and every way in which bytes are no note."""

import json
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ledger.note import (
    ED25519,
    SIGNATURES_MAX,
    Ed25519NoteSigner,
    NoteRefused,
    NoteSignature,
    VKey,
    format_note,
    parse_note,
    sign_note,
    verify_note,
)
from tests.ledger.trees import VECTORS

_EXAMPLE: dict[str, Any] = json.loads(
    (VECTORS / "ledger" / "c2sp-tlog" / "signed-note.json").read_text()
)
_SIGNER = Ed25519NoteSigner("log.example/a", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_TEXT = b"a text\n\nof two paragraphs\n"
_NOTE = sign_note(_TEXT, _SIGNER)
_LINE = _NOTE.removeprefix(_TEXT + b"\n")


def test_example_of_the_specification_verifies() -> None:
    key = VKey.parse(_EXAMPLE["vkey"])

    verify_note(parse_note(_EXAMPLE["signed_note"].encode()), key)

    assert _EXAMPLE["vkey"] == str(key)


def test_signed_note_is_read_and_written_alike() -> None:
    note = parse_note(_NOTE)

    assert note.text == _TEXT
    assert format_note(note.text, note.signatures) == _NOTE
    verify_note(note, VKey.parse(str(_SIGNER.vkey)))


@given(st.integers(0, len(_NOTE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_leaves_no_signature_of_the_key(place: int, xor: int) -> None:
    changed = bytearray(_NOTE)
    changed[place] ^= xor

    with pytest.raises(NoteRefused):
        verify_note(parse_note(bytes(changed)), _SIGNER.vkey)


def test_lines_of_unknown_keys_are_ignored() -> None:
    note = parse_note(_NOTE)
    stranger = NoteSignature("somebody.example", b"abcd", b"grease")

    verify_note(
        parse_note(format_note(_TEXT, [stranger, *note.signatures, stranger])), _SIGNER.vkey
    )


def test_a_note_without_the_key_is_refused() -> None:
    other = Ed25519NoteSigner("log.example/b", Ed25519PrivateKey.generate())

    with pytest.raises(NoteRefused, match="no signature of that key"):
        verify_note(parse_note(_NOTE), other.vkey)


def test_one_false_line_of_the_key_refuses_the_note() -> None:
    good = parse_note(_NOTE).signatures[0]
    false = NoteSignature(good.name, good.key_id, bytes(64))

    for lines in ([good, false], [false, good]):
        with pytest.raises(NoteRefused, match="does not verify"):
            verify_note(parse_note(format_note(_TEXT, lines)), _SIGNER.vkey)


@pytest.mark.parametrize("signature", [b"\x00", bytes(63), bytes(65)])
def test_a_signature_of_another_length_is_refused(signature: bytes) -> None:
    key = _SIGNER.vkey
    note = format_note(_TEXT, [NoteSignature(key.name, key.key_id, signature)])

    with pytest.raises(NoteRefused, match="does not verify"):
        verify_note(parse_note(note), key)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"text\n",
        _TEXT,
        _TEXT + b"\n",
        _NOTE[:-1],
        _NOTE + b"\n",
        _NOTE + b" \n",
        _NOTE + b"left over\n",
        _NOTE.replace("—".encode(), b"-"),
        _NOTE.replace(b"a text", b"a\ttext"),
        _NOTE.replace(b"a text", b"a\rtext"),
        _NOTE.replace(b"a text", b"a\xfftext"),
        _NOTE.replace(b"log.example/a", b"log+example/a"),
        _NOTE.replace(b"log.example/a", "log\u00a0example/a".encode()),
        _NOTE.replace(b"log.example/a ", b"log.example/a  "),
        _TEXT + b"\n" + "— name ====\n".encode(),
        _TEXT + b"\n" + "— name AAAA\n".encode(),
        _TEXT + b"\n" + "— name AAAAA\n".encode(),
        _TEXT + b"\n" + _LINE * (SIGNATURES_MAX + 1),
        bytes(1_000_001),
    ],
)
def test_other_bytes_are_no_note(note: bytes) -> None:
    with pytest.raises(NoteRefused):
        parse_note(note)


def test_base64_with_loose_bits_is_refused() -> None:
    blob = b64encode(b"abcd" + bytes(1)).decode()
    assert blob.endswith("A=")

    with pytest.raises(NoteRefused, match="one base64 form"):
        parse_note(_TEXT + f"\n— name {blob[:-2]}B=\n".encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
        "a+b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        str(VKey("short", ED25519, bytes(31))),
    ],
)
def test_other_texts_are_no_verifier_key(text: str) -> None:
    with pytest.raises(NoteRefused):
        VKey.parse(text)


def test_a_key_of_another_type_is_read_but_verifies_nothing() -> None:
    witness = VKey.parse(str(VKey("witness.example", 0x06, bytes(1312))))

    with pytest.raises(NoteRefused, match="0x06"):
        verify_note(parse_note(_NOTE), witness)


def test_a_log_key_is_read_from_its_pem() -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    signer = Ed25519NoteSigner.from_pem("log.example/a", pem)

    verify_note(parse_note(sign_note(_TEXT, signer)), signer.vkey)


def test_another_pem_is_no_log_key() -> None:
    other = generate_private_key(SECP256R1())
    encrypted = BestAvailableEncryption(b"secret")

    for encryption in (NoEncryption(), encrypted):
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        with pytest.raises(ValueError, match=r"Ed25519|unencrypted"):
            Ed25519NoteSigner.from_pem("log.example/a", pem)


@pytest.mark.parametrize("name", ["", "a b", "a+b"])
def test_a_log_is_not_named_with_spaces_or_plus(name: str) -> None:
    with pytest.raises(NoteRefused):
        Ed25519NoteSigner(name, Ed25519PrivateKey.generate())
