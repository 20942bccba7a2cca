"""Forgeries of the log: its key, its checkpoint, its proof, and what the policy asks."""

from dataclasses import replace

from ledger.evidence.file import CommittedStatement, Evidence, decode, encode
from ledger.evidence.reasons import Code
from ledger.note import NoteSignature, format_note, parse_note
from schemas.kinds import Kind
from tests.ledger.evidence.forgeries.corpus import DEVICE, Forgery, changed, forgery, of
from tests.ledger.evidence.world import (
    T0,
    VEHICLE,
    Keys,
    drive,
    es256,
    log_key,
    segment_payload,
)


@forgery
def everything_forged_and_consistent() -> Forgery:
    """Another log, exchange, carrier and device under the same names."""
    forged = drive(Keys(log_key(91), es256(92), es256(93), es256(94)))
    return Forgery(forged.full_file(), drive().world.policy_text(), Code.WRONG_LOG_KEY)


@forgery
def forged_by_a_log_with_the_trusted_logs_key_id() -> Forgery:
    honest, forged = drive(), drive(Keys(log_key(91), es256(92), es256(93), es256(94)))
    evidence = decode(forged.full_file())
    note = parse_note(evidence.note)
    line = note.signatures[0]
    renamed = NoteSignature(line.name, honest.world.keys.log.vkey.key_id, line.signature)
    data = encode(replace(evidence, note=format_note(note.text, [renamed])))
    return of(honest, data, Code.BAD_CHECKPOINT_SIGNATURE)


@forgery
def another_trusted_logs_checkpoint() -> Forgery:
    other = drive(origin="other.example/log")
    text = f"log {log_key(1).vkey}\nlog {log_key(2, 'other.example/log').vkey}\nquorum none\n"
    return Forgery(other.trip_file(), text.encode(), Code.WRONG_LOG_KEY)


@forgery
def no_log_key_in_the_policy() -> Forgery:
    return Forgery(drive().trip_file(), b"quorum none\n", Code.NO_TRUSTED_LOG_KEY)


@forgery
def witnesses_asked_for_and_none_there() -> Forgery:
    honest = drive()
    witness = log_key(50, "witness.example/w").vkey
    text = f"log {honest.world.keys.log.vkey}\nwitness w {witness}\nquorum w\n"
    return Forgery(honest.trip_file(), text.encode(), Code.QUORUM_NOT_MET)


@forgery
def pinned_to_another_exchange_key() -> Forgery:
    honest = drive()
    policy = honest.world.policy_text(f"#haulproof key hp:exchange {'ab' * 32}")
    return Forgery(honest.trip_file(), policy, Code.PIN_MISMATCH)


@forgery
def pinned_to_another_carrier_key() -> Forgery:
    honest = drive()
    policy = honest.world.policy_text(f"#haulproof key hp:acme {'ab' * 32}")
    return Forgery(honest.full_file(), policy, Code.PIN_MISMATCH)


@forgery
def no_checkpoint_at_all() -> Forgery:
    honest = drive()
    data = changed(honest.trip_file(), lambda file: replace(file, note=b""))
    return of(honest, data, Code.BAD_CHECKPOINT)


@forgery
def an_older_checkpoint() -> Forgery:
    honest = drive()
    older = honest.world.note()
    honest.world.commit(Kind.SEGMENT, b"one more")
    data = changed(honest.trip_file(), lambda file: replace(file, note=older))
    return of(honest, data, Code.NOT_IN_LOG)


@forgery
def an_index_moved() -> Forgery:
    honest = drive()

    def move(file: Evidence) -> Evidence:
        *others, last = file.statements
        return replace(file, statements=(*others, replace(last, index=last.index + 1)))

    return of(honest, changed(honest.trip_file(), move), Code.NOT_IN_LOG)


@forgery
def an_index_beyond_the_tree() -> Forgery:
    honest = drive()

    def move(file: Evidence) -> Evidence:
        *others, last = file.statements
        return replace(file, statements=(*others, replace(last, index=2**62)))

    return of(honest, changed(honest.trip_file(), move), Code.NOT_IN_LOG)


@forgery
def a_hash_missing() -> Forgery:
    honest = drive()
    data = changed(honest.trip_file(), lambda file: replace(file, hashes=file.hashes[:-1]))
    return of(honest, data, Code.NOT_IN_LOG)


@forgery
def a_hash_left_over() -> Forgery:
    honest = drive()
    data = changed(honest.trip_file(), lambda file: replace(file, hashes=(*file.hashes, bytes(32))))
    return of(honest, data, Code.NOT_IN_LOG)


@forgery
def a_statement_left_out_of_the_proof() -> Forgery:
    honest = drive()
    data = changed(
        honest.full_file(),
        lambda file: replace(file, statements=file.statements[:4] + file.statements[5:]),
    )
    return of(honest, data, Code.NOT_IN_LOG)


@forgery
def a_statement_signed_and_never_committed() -> Forgery:
    """The device's key is stolen; the log is honest."""
    honest = drive()
    world = honest.world
    later = world.sign(
        world.keys.device, Kind.SEGMENT, DEVICE, VEHICLE, segment_payload(9, T0 + 20_000)
    )

    def swap(file: Evidence) -> Evidence:
        *others, last = file.statements
        return replace(file, statements=(*others, CommittedStatement(last.index, 1, later)))

    return of(honest, changed(honest.segments_file(), swap), Code.NOT_IN_LOG)
