"""A witness cosigns a known log's own checkpoint that extends the last one, and no other."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import TreeHead
from ledger.cosignature import cosign
from ledger.merkle import EMPTY_ROOT
from ledger.note import Ed25519NoteSigner, NoteSignature, format_note, parse_note, sign_note
from ledger.witness.judgement import (
    Cause,
    KnownLog,
    NotCosigned,
    check_extends,
    check_signed,
    read_submission,
)
from ledger.witness.request import AddCheckpoint
from tests.ledger.witness.logs import ORIGIN, SmallLog, ml_dsa_witness

LOG = SmallLog(40)
FORK = SmallLog(40, salt=b"other")
STRANGER = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))


def extends(request: AddCheckpoint, last: TreeHead | None) -> None:
    check_extends(request, read_submission(request.note)[0], last)


def cause_of(request: AddCheckpoint, last: TreeHead | None) -> Cause:
    with pytest.raises(NotCosigned) as refused:
        extends(request, last)
    return refused.value.cause


@given(st.integers(0, 40), st.integers(0, 40))
def test_every_extension_is_cosigned(one: int, other: int) -> None:
    old, new = sorted((one, other))

    extends(LOG.request(old, new), LOG.head(old))
    if old == 0:
        extends(LOG.request(old, new), None)


@given(st.integers(1, 40), st.integers(1, 40))
def test_no_fork_is_cosigned(one: int, other: int) -> None:
    old, new = sorted((one, other))

    wanted = Cause.FORK if old == new else Cause.INCONSISTENT
    assert cause_of(FORK.request(old, new), LOG.head(old)) is wanted


@given(st.data())
def test_no_changed_proof_is_believed(data: st.DataObject) -> None:
    old, new = sorted(data.draw(st.sets(st.integers(1, 40), min_size=2, max_size=2)))
    request = LOG.request(old, new)
    at = data.draw(st.integers(0, len(request.proof)))
    changed = data.draw(
        st.sampled_from(
            [
                (*request.proof[:at], bytes(32), *request.proof[at:]),
                request.proof[: max(at - 1, 0)],
            ]
        )
    )
    if changed != request.proof:
        assert cause_of(replace(request, proof=changed), LOG.head(old)) is Cause.INCONSISTENT


def test_another_old_size_is_answered_with_the_last_one() -> None:
    for old in (0, 4, 6):
        with pytest.raises(NotCosigned) as refused:
            extends(LOG.request(old, 9), LOG.head(5))
        assert (refused.value.cause, refused.value.size) == (Cause.OTHER_SIZE, 5)

    with pytest.raises(NotCosigned) as refused:
        extends(LOG.request(4, 9), None)
    assert refused.value.size == 0


def test_an_old_size_beyond_the_checkpoint_is_malformed_whatever_was_last() -> None:
    request = replace(LOG.request(3, 3), old_size=5)

    assert cause_of(request, LOG.head(5)) is Cause.MALFORMED
    assert cause_of(request, LOG.head(3)) is Cause.MALFORMED


def test_from_nothing_a_proof_is_refused() -> None:
    request = replace(LOG.request(0, 4), proof=(bytes(32),))

    assert cause_of(request, None) is Cause.INCONSISTENT


def test_the_empty_tree_has_one_root() -> None:
    note = sign_note(TreeHead(ORIGIN, 0, bytes(32)).text, LOG.signer)

    assert cause_of(AddCheckpoint(0, (), note), None) is Cause.INCONSISTENT
    assert LOG.head(0).root == EMPTY_ROOT


def test_two_roots_of_one_size_are_a_fork_and_the_same_again_or_a_wrong_proof_is_none() -> None:
    extends(LOG.request(7, 7), LOG.head(7))

    assert cause_of(FORK.request(7, 7), LOG.head(7)) is Cause.FORK
    assert cause_of(replace(FORK.request(7, 7), proof=(bytes(32),)), LOG.head(7)) is Cause.FORK
    with_proof = replace(LOG.request(7, 7), proof=(bytes(32),))
    assert cause_of(with_proof, LOG.head(7)) is Cause.INCONSISTENT


def submitted(note: bytes, log: KnownLog = LOG.known) -> tuple[NoteSignature, ...]:
    return check_signed(*read_submission(note), log).signatures


def test_lines_of_strangers_are_ignored() -> None:
    signed = parse_note(LOG.note(5))
    stranger = parse_note(LOG.note(5, STRANGER)).signatures
    note = format_note(signed.text, [*stranger, *signed.signatures])

    assert submitted(note) == signed.signatures


@pytest.mark.parametrize("kind", ["stranger", "forged", "one of two"])
def test_what_no_trusted_key_signed_is_refused(kind: str) -> None:
    signed = parse_note(LOG.note(5))
    forged = replace(signed.signatures[0], signature=bytes(64))
    notes = {
        "stranger": LOG.note(5, STRANGER),
        "forged": format_note(signed.text, [forged]),
        "one of two": format_note(signed.text, [*signed.signatures, forged]),
    }

    with pytest.raises(NotCosigned) as refused:
        submitted(notes[kind])
    assert refused.value.cause is Cause.UNTRUSTED


def test_a_logs_ml_dsa_key_may_sign() -> None:
    signer = ml_dsa_witness(3, ORIGIN)
    head = LOG.head(5)
    line = cosign(head, signer, 0)
    both = KnownLog(ORIGIN, (LOG.signer.vkey, signer.vkey))

    assert submitted(format_note(head.text, [line]), both) == (line,)


@pytest.mark.parametrize(
    "note",
    [b"", b"no note", b"a\n5\nx\n\n", LOG.note(5).replace(b"\n5\n", b"\n05\n")],
)
def test_what_is_no_checkpoint_is_malformed(note: bytes) -> None:
    with pytest.raises(NotCosigned) as refused:
        read_submission(note)
    assert refused.value.cause is Cause.MALFORMED


def test_extension_lines_are_not_cosigned() -> None:
    text = LOG.head(5).text + b"extension\n"

    with pytest.raises(NotCosigned) as refused:
        read_submission(sign_note(text, LOG.signer))
    assert refused.value.cause is Cause.MALFORMED
