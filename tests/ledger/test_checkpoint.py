"""Checkpoints: published logs', a log's two keys, and the one form of the three lines."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.checkpoint import (
    TreeHead,
    dual_sign,
    open_checkpoint,
    parse_head,
    sign_checkpoint,
    unverified_head,
)
from ledger.cosignature import Ed25519Cosigner, MLDSA44Cosigner, cosign
from ledger.merkle import EMPTY_ROOT
from ledger.note import (
    Ed25519NoteSigner,
    NoteRefused,
    NoteSignature,
    VKey,
    format_note,
    parse_note,
    sign_note,
)
from tests.ledger.trees import VECTORS

_LOG = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
_LOG_KEY = VKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
_SIGNER = Ed25519NoteSigner("log.example/a", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_ML_DSA = MLDSA44Cosigner("log.example/a", MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
_HEAD = TreeHead("log.example/a", 12, bytes(range(32)))
_DUAL = dual_sign(_HEAD, sign_checkpoint(_HEAD, _SIGNER), _ML_DSA, 1_750_000_000)
_KEYS = (_SIGNER.vkey, _ML_DSA.vkey)


def test_seventeen_published_checkpoints_open() -> None:
    notes = sorted(_LOG.glob("checkpoint*"))
    assert len(notes) == 17

    for path in notes:
        checkpoint = open_checkpoint(path.read_bytes(), _LOG_KEY)
        assert checkpoint.head.origin == "example.com/log/testdata"
        assert (checkpoint.head.size == 0) == (checkpoint.head.root == EMPTY_ROOT)


def test_signed_head_opens_with_the_logs_key_alone() -> None:
    note = sign_checkpoint(_HEAD, _SIGNER)
    other = Ed25519NoteSigner("log.example/a", Ed25519PrivateKey.generate())

    assert open_checkpoint(note, _SIGNER.vkey).head == _HEAD
    assert unverified_head(note)[0] == _HEAD
    with pytest.raises(NoteRefused):
        open_checkpoint(note, other.vkey)


def test_a_note_of_the_key_for_another_origin_is_refused() -> None:
    elsewhere = TreeHead("log.example/b", 12, bytes(32))

    with pytest.raises(NoteRefused, match="another log"):
        open_checkpoint(sign_note(elsewhere.text, _SIGNER), _SIGNER.vkey)
    with pytest.raises(ValueError, match="named like"):
        sign_checkpoint(elsewhere, _SIGNER)


def test_published_ml_dsa_checkpoint_opens_with_the_logs_key() -> None:
    published: dict[str, Any] = json.loads(
        (VECTORS / "ledger" / "c2sp-tlog" / "torchwood-mldsa.json").read_text()
    )
    key = VKey.parse(published["vkey"])

    assert open_checkpoint(published["signed_note"].encode(), key).head.origin == key.name


@pytest.mark.parametrize("keys", [_KEYS, _KEYS[:1], _KEYS[1:]], ids=["both", "first", "second"])
def test_a_checkpoint_of_both_keys_opens_with_either(keys: tuple[VKey, ...]) -> None:
    assert open_checkpoint(_DUAL, *keys).head == _HEAD


def test_one_of_the_keys_is_enough_where_the_other_has_not_signed() -> None:
    note = sign_checkpoint(_HEAD, _SIGNER)

    assert open_checkpoint(note, *_KEYS).head == _HEAD
    with pytest.raises(NoteRefused, match="no signature"):
        open_checkpoint(note, _ML_DSA.vkey)
    with pytest.raises(NoteRefused, match="no signature"):
        open_checkpoint(note)


@pytest.mark.parametrize("spoilt", [0, 1], ids=["ed25519", "ml-dsa-44"])
def test_a_wrong_line_of_a_known_key_spoils_the_other_keys_right_one(spoilt: int) -> None:
    lines = list(parse_note(_DUAL).signatures)
    right = lines[spoilt]
    wrong = right.signature[:-1] + bytes([right.signature[-1] ^ 1])
    lines[spoilt] = NoteSignature(right.name, right.key_id, wrong)
    note = format_note(_HEAD.text, lines)

    with pytest.raises(NoteRefused, match="does not verify"):
        open_checkpoint(note, *_KEYS)
    assert open_checkpoint(note, _KEYS[1 - spoilt]).head == _HEAD


def test_a_second_signature_keeps_the_first_and_replaces_its_own() -> None:
    witness = Ed25519Cosigner("witness.example", Ed25519PrivateKey.generate())
    lines = parse_note(_DUAL).signatures
    cosigned = format_note(_HEAD.text, [*lines, cosign(_HEAD, witness, 5)])

    again = parse_note(dual_sign(_HEAD, cosigned, _ML_DSA, 1_750_000_001))

    assert [line.key_id for line in again.signatures] == [
        _SIGNER.vkey.key_id,
        witness.vkey.key_id,
        _ML_DSA.vkey.key_id,
    ]
    assert again.signatures[0] == lines[0]
    assert again.signatures[2].signature[:8] == (1_750_000_001).to_bytes(8, "big")


def test_the_second_key_signs_only_what_the_first_has_signed_and_only_its_own_log() -> None:
    note = sign_checkpoint(_HEAD, _SIGNER)
    elsewhere = MLDSA44Cosigner("log.example/b", MLDSA44PrivateKey.generate())

    with pytest.raises(ValueError, match="another tree head"):
        dual_sign(TreeHead(_HEAD.origin, 13, _HEAD.root), note, _ML_DSA, 5)
    with pytest.raises(ValueError, match="named like"):
        dual_sign(_HEAD, note, elsewhere, 5)
    with pytest.raises(ValueError, match="is ML-DSA-44"):
        dual_sign(_HEAD, note, _SIGNER, 5)


@pytest.mark.parametrize(
    "head",
    [
        TreeHead("log.example/a", -1, bytes(32)),
        TreeHead("log.example/a", 2**63, bytes(32)),
        TreeHead("log.example/a", 1, bytes(31)),
    ],
)
def test_what_is_no_tree_head_is_not_signed(head: TreeHead) -> None:
    with pytest.raises(ValueError, match=r"form|lines"):
        sign_checkpoint(head, _SIGNER)


_ROOT = _HEAD.text.split(b"\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"origin\n12\n",
        b"\n12\n" + _ROOT + b"\n",
        b"origin\n012\n" + _ROOT + b"\n",
        b"origin\n+12\n" + _ROOT + b"\n",
        b"origin\n-1\n" + _ROOT + b"\n",
        b"origin\n9223372036854775808\n" + _ROOT + b"\n",
        "origin\n١٢\n".encode() + _ROOT + b"\n",
        b"origin\n12\n" + _ROOT,
        b"origin\n12\n" + _ROOT + b"\nextension\n",
        b"origin\n12\n" + _ROOT[:-2] + b"9=\n",
        b"origin\n12\n" + _ROOT[:-4] + b"\n",
        b"or\xffgin\n12\n" + _ROOT + b"\n",
    ],
)
def test_other_texts_are_no_checkpoint(text: bytes) -> None:
    with pytest.raises(NoteRefused):
        parse_head(text)
