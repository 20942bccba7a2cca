"""Checkpoints: a published log's, and the one form of the three lines."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import (
    TreeHead,
    open_checkpoint,
    parse_head,
    sign_checkpoint,
    unverified_head,
)
from ledger.merkle import EMPTY_ROOT
from ledger.note import Ed25519NoteSigner, NoteRefused, VKey, sign_note
from tests.ledger.trees import VECTORS

_LOG = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
_LOG_KEY = VKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
_SIGNER = Ed25519NoteSigner("log.example/a", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_HEAD = TreeHead("log.example/a", 12, bytes(range(32)))


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
