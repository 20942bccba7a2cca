"""Forgeries of cosignatures: too few, of something else, of somebody else."""

from dataclasses import replace

from ledger.cosignature import cosign
from ledger.evidence.reasons import Code
from ledger.note import NoteSignature
from tests.ledger.evidence.cosigned import (
    FIRST,
    PQ,
    SECOND,
    STRANGER,
    TIME_S,
    cosigned_by,
    head_of,
    with_lines,
    witness_policy,
)
from tests.ledger.evidence.forgeries.corpus import Forgery, forgery
from tests.ledger.evidence.world import drive


def _with(line: NoteSignature, code: Code) -> Forgery:
    """A trip that the first witness cosigned rightly, and this line beside it."""
    honest = drive()
    data = with_lines(honest.trip_file(), [_right(), line])
    return Forgery(data, witness_policy(honest.world), code)


def _right() -> NoteSignature:
    return cosign(head_of(drive().trip_file()), FIRST, TIME_S)


@forgery
def a_quorum_that_is_one_witness_short() -> Forgery:
    honest = drive()
    data = cosigned_by(honest.trip_file(), FIRST)
    return Forgery(data, witness_policy(honest.world), Code.QUORUM_NOT_MET)


@forgery
def a_quorum_with_a_stranger_in_it() -> Forgery:
    honest = drive()
    data = cosigned_by(honest.trip_file(), FIRST, STRANGER)
    return Forgery(data, witness_policy(honest.world), Code.QUORUM_NOT_MET)


@forgery
def a_quorum_with_one_witness_twice() -> Forgery:
    honest = drive()
    data = cosigned_by(honest.trip_file(), FIRST, FIRST)
    return Forgery(data, witness_policy(honest.world), Code.QUORUM_NOT_MET)


@forgery
def a_cosignature_of_another_checkpoint() -> Forgery:
    head = head_of(drive().trip_file())
    return _with(cosign(replace(head, root=bytes(32)), SECOND, TIME_S), Code.BAD_COSIGNATURE)


@forgery
def a_cosignature_of_a_stranger_under_a_witnesss_key_id() -> Forgery:
    forged = cosign(head_of(drive().trip_file()), STRANGER, TIME_S)
    line = NoteSignature(SECOND.vkey.name, SECOND.vkey.key_id, forged.signature)
    return _with(line, Code.BAD_COSIGNATURE)


@forgery
def a_cosignature_with_another_time() -> Forgery:
    line = cosign(head_of(drive().trip_file()), SECOND, TIME_S)
    later = (TIME_S + 1).to_bytes(8, "big") + line.signature[8:]
    return _with(replace(line, signature=later), Code.BAD_COSIGNATURE)


@forgery
def a_cosignature_without_a_time() -> Forgery:
    return _with(cosign(head_of(drive().trip_file()), PQ, 0), Code.BAD_COSIGNATURE)


@forgery
def a_cosignature_as_short_as_a_logs_signature() -> Forgery:
    line = cosign(head_of(drive().trip_file()), SECOND, TIME_S)
    return _with(replace(line, signature=line.signature[8:]), Code.BAD_COSIGNATURE)


@forgery
def a_right_cosignature_and_a_wrong_one_of_the_same_witness() -> Forgery:
    line = cosign(head_of(drive().trip_file()), FIRST, TIME_S)
    return _with(replace(line, signature=bytes(72)), Code.BAD_COSIGNATURE)
