"""The checker sees what it is there for: made-up logs that lose, double, change and fork."""

import base64
import hashlib

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.faults.checker import Verdict, judge
from tests.faults.published_log import Disagreement, LogReader

NAME = "example.org/log"
KEY = Ed25519PrivateKey.generate()
VKEY = (
    f"{NAME}+00000000+{base64.b64encode(bytes([1]) + KEY.public_key().public_bytes_raw()).decode()}"
)
A, B, C = (hashlib.sha256(name).digest() for name in (b"a", b"b", b"c"))


class MadeUpLog(LogReader):
    """Serves what a test puts into it."""

    def __init__(self, *digests: bytes) -> None:
        super().__init__("", VKEY)
        self.leaves = list(digests)
        self.signed: bytes | None = None

    def get(self, path: str) -> bytes:
        if path == "checkpoint":
            return self.signed or signed(self.leaves)
        entries = [cbor2.dumps([1, digest]) for digest in self.leaves]
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def signed(digests: list[bytes], key: Ed25519PrivateKey = KEY) -> bytes:
    text = f"{NAME}\n{len(digests)}\n{base64.b64encode(tree(digests)).decode()}\n"
    signature = base64.b64encode(bytes(4) + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {NAME} {signature}\n".encode()


def tree(digests: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, as it is written there."""
    if len(digests) < 2:
        leaf = b"\0" + cbor2.dumps([1, digests[0]]) if digests else b""
        return hashlib.sha256(leaf).digest()
    left = 1 << (len(digests) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree(digests[:left]) + tree(digests[left:])).digest()


def test_a_log_that_holds_everything_once_passes() -> None:
    assert judge(MadeUpLog(A, B, C), {A: 0, C: 2}, [A, B, C]) == Verdict(2, 2, 0, 0)


def test_roots_are_those_of_the_definition_at_every_size() -> None:
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(40)]
    log = MadeUpLog(*digests)
    log.read()

    assert [log.root(size) for size in range(41)] == [tree(digests[:size]) for size in range(41)]


def test_a_receipted_statement_that_is_missing_is_lost() -> None:
    assert judge(MadeUpLog(A), {A: 0, B: 1}, [A, B]) == Verdict(2, 1, 1, 0)


def test_a_receipted_statement_at_another_leaf_is_lost() -> None:
    assert judge(MadeUpLog(B, A), {A: 0}, [A, B]).lost == 1


def test_a_statement_with_two_leaves_is_there_twice() -> None:
    assert judge(MadeUpLog(A, B, A), {A: 0}, [A, B]).twice == 1


def test_an_entry_that_changes_after_it_was_published_is_seen() -> None:
    log = MadeUpLog(A, B)
    log.read()
    log.leaves = [A, C, B]

    with pytest.raises(Disagreement, match="not what they were"):
        log.read()


def test_a_checkpoint_over_other_entries_is_seen() -> None:
    log = MadeUpLog(A, B)
    log.signed = signed([A, C])

    with pytest.raises(Disagreement, match="not of these entries"):
        log.read()


def test_a_checkpoint_that_only_a_device_was_shown_is_held_against_the_log() -> None:
    log = MadeUpLog(A, B, C)
    log.notes.see(signed([B, A]))

    with pytest.raises(Disagreement, match="2 leaves"):
        log.read()


def test_two_checkpoints_of_one_size_are_seen() -> None:
    log = MadeUpLog(A)
    log.notes.see(signed([A]))

    with pytest.raises(Disagreement, match="different roots"):
        log.notes.see(signed([B]))


def test_a_checkpoint_of_a_stranger_is_seen() -> None:
    note = signed([A], Ed25519PrivateKey.generate())

    with pytest.raises(InvalidSignature):
        MadeUpLog(A).notes.see(note)
