"""Who cosigned: found in a note or a witness's answer, and nothing that does not verify."""

from dataclasses import replace

import pytest

from ledger.cosignature import cosign
from ledger.note import NoteRefused, NoteSignature, format_lines, parse_note
from ledger.witness.cosigned import cosigned_by, lines_in_answer, with_lines
from tests.ledger.witness.logs import SmallLog, ed25519_witness, ml_dsa_witness

LOG = SmallLog(9)
NOTE = LOG.note(9)
FIRST, SECOND, STRANGER = ed25519_witness(1), ml_dsa_witness(2), ed25519_witness(3, "stranger")
KEYS = {"first": FIRST.vkey, "second": SECOND.vkey}


def line(signer: object, time_s: int = 5, size: int = 9) -> NoteSignature:
    return cosign(LOG.head(size), signer, time_s)  # type: ignore[arg-type]


def test_both_forms_are_found_with_their_times() -> None:
    note = with_lines(NOTE, [line(FIRST, 5), line(STRANGER), line(SECOND, 6)])

    assert cosigned_by(parse_note(note), KEYS).times_s == {"first": 5, "second": 6}


def test_a_witness_that_is_not_there_is_not_found() -> None:
    found = cosigned_by(parse_note(NOTE), KEYS)

    assert (found.times_s, found.refused) == ({}, {})


@pytest.mark.parametrize("signer", [FIRST, SECOND])
def test_a_wrong_cosignature_is_refused_and_says_nothing_of_the_other(signer: object) -> None:
    other = SECOND if signer is FIRST else FIRST
    note = with_lines(NOTE, [line(signer, 5, size=8), line(other)])

    found = cosigned_by(parse_note(note), KEYS)

    assert len(found.refused) == len(found.times_s) == 1


def test_a_cosignature_without_a_time_is_none() -> None:
    found = cosigned_by(parse_note(with_lines(NOTE, [line(SECOND, 0)])), KEYS)

    assert list(found.refused) == ["second"]


def test_lines_of_an_answer_are_taken_and_strangers_left() -> None:
    answer = format_lines([line(STRANGER), line(FIRST), line(SECOND)])

    found = lines_in_answer(NOTE, answer, KEYS)
    assert cosigned_by(parse_note(with_lines(NOTE, found.values())), KEYS).times_s == {
        "first": 5,
        "second": 5,
    }


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        b"garbage",
        b"\xff\xfe",
        format_lines([line(FIRST)])[:-1],
        format_lines([line(FIRST)]) + b"\n",
        b"\n" + format_lines([line(FIRST)]),
        format_lines([line(FIRST, 5, size=8)]),
        format_lines([line(FIRST), replace(line(FIRST), signature=bytes(72))]),
        format_lines([line(FIRST, 0)]),
        format_lines([line(FIRST)] * 200),
        LOG.note(8),
    ],
)
def test_nothing_is_taken_of_an_answer_that_is_not_right(answer: bytes) -> None:
    try:
        assert lines_in_answer(NOTE, answer, KEYS) == {}
    except NoteRefused:
        return
