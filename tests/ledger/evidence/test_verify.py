"""Verification: honest files of every form pass, and nothing else does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.evidence.file import EvidenceUnreadable, Form, decode, encode
from ledger.evidence.independent import independent_verify
from ledger.evidence.reasons import Code
from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from ledger.note import NoteSignature, format_note, parse_note
from ledger.policy import Policy, parse_policy
from schemas.columns import encode_column
from schemas.kinds import Kind
from schemas.samples import Block
from schemas.segment import SegmentEvent, encode_segment, read_segment
from tests.ledger.evidence.forgeries import FORGERIES, Maker
from tests.ledger.evidence.world import (
    T0,
    THRESHOLDS,
    VEHICLE,
    Keys,
    binding_payload,
    drive,
    log_key,
    ml_dsa_44,
    segment_payload,
    trip_payload,
)

_DRIVE = drive()
_POLICY = _DRIVE.world.policy()
_FILES = {
    "trip": _DRIVE.trip_file(),
    "full": _DRIVE.full_file(),
    "segments": _DRIVE.segments_file(),
}


def _codes(report: Report) -> list[object]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize("kind", _FILES)
def test_an_honest_file_verifies(kind: str) -> None:
    report = verify_evidence(_FILES[kind], _POLICY)

    assert report.verified, report.sentences()
    assert report.kind == kind


@pytest.mark.parametrize("maker", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_does_not_verify(maker: Maker) -> None:
    forgery = maker()

    report = verify_evidence(forgery.data, parse_policy(forgery.policy))

    assert not report.verified
    assert forgery.code in _codes(report), report.sentences()


def test_the_json_report_has_the_fields_of_the_command() -> None:
    report = verify_evidence(_FILES["full"], _POLICY)

    assert report.to_json() == {
        "verified": True,
        "kind": "full",
        "statements": 9,
        "log_size": 19,
        "log_origin": "log.example/haulproof-test",
        "signers": ["hp:acme", "hp:acme/dev-1", "hp:exchange"],
        "witnesses": [],
        "recomputed": None,
        "reasons": [],
    }


def test_a_person_reads_what_was_shown_and_what_was_not() -> None:
    text = {
        kind: " ".join(verify_evidence(data, _POLICY).sentences()) for kind, data in _FILES.items()
    }

    assert "12.3 km by odometer and 12.2 km along its GNSS fixes" in text["trip"]
    assert "exchange's word" in text["trip"]
    assert "3 segments and 1 gap" in text["full"]
    assert "--recompute" in text["full"]
    assert "left out is not" in text["segments"]
    assert "does not say whether one of these keys has been revoked" in text["trip"]


def test_without_a_policy_the_key_that_was_found_is_named() -> None:
    report = verify_evidence(_FILES["trip"], Policy())

    assert _codes(report) == [Code.NO_TRUSTED_LOG_KEY]
    key = _DRIVE.world.keys.log.vkey
    assert f"{key.name}+{key.key_id.hex()}" in " ".join(report.sentences())


def test_with_another_logs_key_it_does_not_verify() -> None:
    other = log_key(2).vkey

    report = verify_evidence(_FILES["trip"], Policy().with_log(other).with_log(other))

    assert _codes(report) == [Code.WRONG_LOG_KEY]


def test_a_log_key_given_alone_is_a_policy() -> None:
    policy = Policy().with_log(_DRIVE.world.keys.log.vkey)

    assert verify_evidence(_FILES["full"], policy).verified


def test_pins_that_hold_are_met() -> None:
    keys = _DRIVE.world.keys
    policy = _DRIVE.world.policy(
        f"#haulproof key hp:exchange {keys.exchange.public.thumbprint.hex()}",
        f"#haulproof key hp:acme {'00' * 32}",
        f"#haulproof key hp:acme {keys.carrier.public.thumbprint.hex()}",
        f"#haulproof key hp:nobody {'00' * 32}",
    )

    assert verify_evidence(_FILES["full"], policy).verified


def test_lines_of_unknown_keys_in_the_checkpoint_are_allowed() -> None:
    evidence = decode(_FILES["trip"])
    note = parse_note(evidence.note)
    grease = NoteSignature("grease.example", b"abcd", b"anything")
    with_grease = format_note(note.text, [grease, *note.signatures])

    assert verify_evidence(encode(replace(evidence, note=with_grease)), _POLICY).verified


def test_the_exchanges_word_on_revocation_is_read_and_told() -> None:
    status = _DRIVE.world.key_status([_DRIVE.exchange])
    data = _DRIVE.world.evidence(Form.TRIP, [_DRIVE.exchange, _DRIVE.trip], key_status=status)

    report = verify_evidence(data, _POLICY)

    assert report.verified
    assert "up to leaf 19 is the exchange's word" in " ".join(report.sentences())


def test_every_suite_verifies() -> None:
    mixed = drive(Keys(exchange=ml_dsa_44(5)))

    report = verify_evidence(mixed.full_file(), mixed.world.policy())

    assert report.verified
    assert ("hp:exchange", "ML-DSA-44") in report.signers


def test_a_binding_that_begins_within_a_segment_covers_it() -> None:
    assert _with_binding(from_ms=T0 + 3_000).verified
    assert not _with_binding(from_ms=T0 + 3_001).verified


def test_a_binding_covers_up_to_its_end() -> None:
    assert _with_binding(to_ms=T0 + 1).verified
    assert not _with_binding(to_ms=T0).verified


def test_an_event_within_the_binding_is_of_the_vehicle() -> None:
    """What derivation reads is what verification binds: samples and events."""
    assert _with_binding(from_ms=T0 + 3_500, event_offset_ms=3_500).verified
    assert _with_binding(to_ms=T0, event_offset_ms=-1).verified


def test_both_verifiers_read_irregular_times() -> None:
    for from_ms, bound in ((T0 + 2_500, True), (T0 + 2_501, False)):
        data, policy = _bound_file(from_ms, None, None, offsets=(0, 1_000, 2_500))
        assert verify_evidence(data, parse_policy(policy)).verified is bound
        assert independent_verify(data, policy.decode())["verified"] is bound


def _with_binding(
    from_ms: int = 0, to_ms: int | None = None, event_offset_ms: int | None = None
) -> Report:
    data, policy = _bound_file(from_ms, to_ms, event_offset_ms)
    report = verify_evidence(data, parse_policy(policy))
    assert independent_verify(data, policy.decode())["verified"] is report.verified
    return report


def _bound_file(
    from_ms: int,
    to_ms: int | None,
    event_offset_ms: int | None,
    offsets: Sequence[int] = (),
) -> tuple[bytes, bytes]:
    """A file of one segment of 4 s from T0, and the policy for it."""
    drive_ = drive()
    world, keys = drive_.world, drive_.world.keys
    payload = binding_payload(from_ms=from_ms, to_ms=to_ms)
    binding = world.put(keys.carrier, Kind.BINDING, "hp:acme", VEHICLE, payload)
    read = read_segment(segment_payload(9, T0))
    if event_offset_ms is not None:
        read = replace(read, events=(SegmentEvent(event_offset_ms, 2),))
    if offsets:
        block = Block(len(offsets), None, encode_column(offsets), {})
        read = replace(read, block=block)
    signed = encode_segment(read)
    segment = world.put(keys.device, Kind.SEGMENT, "hp:acme/dev-1", VEHICLE, signed)
    data = world.evidence(Form.SEGMENTS, [*drive_.keys, segment, binding])
    return data, world.policy_text()


def test_a_binding_that_the_trip_does_not_cite_does_no_harm() -> None:
    drive_ = drive()
    world = drive_.world
    payload = binding_payload(from_ms=5)
    later = world.put(world.keys.carrier, Kind.BINDING, "hp:acme", VEHICLE, payload)
    everything = [*drive_.keys, drive_.binding, *drive_.readings, drive_.trip, later]

    data = world.evidence(Form.FULL, everything, thresholds=THRESHOLDS)

    assert verify_evidence(data, world.policy()).verified


@pytest.fixture(scope="module")
def large_file() -> tuple[bytes, Policy]:
    """A full file of nearly a thousand statements."""
    drive_ = drive()
    world = drive_.world
    inputs = [
        world.put(
            world.keys.device,
            Kind.SEGMENT,
            "hp:acme/dev-1",
            VEHICLE,
            segment_payload(seq, T0 + 4_000 * seq),
        )
        for seq in range(10, 900)
    ]
    payload = trip_payload(world, inputs, [drive_.binding])
    trip = world.put(world.keys.exchange, Kind.TRIP, "hp:exchange", VEHICLE, payload)
    everything = [*drive_.keys, drive_.binding, *inputs, trip]
    return world.evidence(Form.FULL, everything, thresholds=THRESHOLDS), world.policy()


def test_a_trip_of_hundreds_of_segments_verifies(large_file: tuple[bytes, Policy]) -> None:
    data, policy = large_file

    assert verify_evidence(data, policy).verified


def test_a_thousand_changed_bytes_of_a_large_file_are_each_noticed(
    large_file: tuple[bytes, Policy],
) -> None:
    """Every one without a new checksum; each fortieth, for their time, with one too."""
    data, policy = large_file
    seed = Random().randrange(2**32)
    print(f"seed {seed}")
    chance = Random(seed)
    for number in range(1_000):
        changed = bytearray(data)
        changed[chance.randrange(len(data) - 32)] ^= chance.randrange(1, 256)
        with pytest.raises(EvidenceUnreadable):
            verify_evidence(bytes(changed), policy)
        if number % 40 == 0:
            assert _refused(_with_checksum(bytes(changed)), policy)


def _with_checksum(data: bytes) -> bytes:
    return data[:-32] + sha256(data[:-34]).digest()


def _refused(data: bytes, policy: Policy = _POLICY) -> bool:
    try:
        return not verify_evidence(data, policy).verified
    except EvidenceUnreadable:
        return True


def _all_changes(data: bytes) -> Iterator[bytes]:
    for place in range(len(data)):
        for xor in (1, 0x20, 0x80):
            yield data[:place] + bytes([data[place] ^ xor]) + data[place + 1 :]


def test_every_changed_byte_of_a_small_file_is_noticed() -> None:
    """The whole file, without and with its checksum made right again."""
    for changed in _all_changes(_FILES["trip"]):
        with pytest.raises(EvidenceUnreadable):
            verify_evidence(changed, _POLICY)
        assert _refused(_with_checksum(changed)) or changed[:-32] == _FILES["trip"][:-32]


@settings(max_examples=400)
@given(st.integers(0, len(_FILES["full"]) - 33), st.integers(1, 255))
def test_no_changed_byte_of_a_full_file_survives_a_new_checksum(place: int, xor: int) -> None:
    data = bytearray(_FILES["full"])
    data[place] ^= xor

    assert _refused(_with_checksum(bytes(data)))


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(data: bytes) -> None:
    for hostile in (data, _with_checksum(_FILES["trip"][:13] + data + bytes(34))):
        with pytest.raises(EvidenceUnreadable):
            verify_evidence(hostile, _POLICY)


@pytest.mark.parametrize("drop", range(1, 400, 7))
def test_a_file_cut_short_is_damaged(drop: int) -> None:
    with pytest.raises(EvidenceUnreadable, match="damaged"):
        verify_evidence(_FILES["full"][:-drop], _POLICY)


def test_a_drive_and_its_forged_twin_differ_in_the_log_key_alone() -> None:
    """The forgery is consistent: whoever trusted the forger's log would believe it."""
    forgery = FORGERIES["everything_forged_and_consistent"]()
    trusting = Policy().with_log(log_key(91).vkey)

    assert verify_evidence(forgery.data, trusting).verified
