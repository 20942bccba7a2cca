"""Every way in which a message can be wrong has its reason, and the reference vectors decide."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.intake.model import Message, Parsed, Verified, VerifiedGap, VerifiedSegment
from exchange.intake.verification import (
    NO_DEVICE,
    DeviceKey,
    Keys,
    device_of,
    parse,
    refused,
    verify_batch,
)
from schemas.cose import cbor, sign1
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.cose.suites import EDDSA, ES256
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind
from schemas.limits import STATEMENT_BYTES_MAX
from schemas.segment import read_segment
from schemas.statements.device_key import Rotation
from tests.exchange.intake.trucks import NOW, ORIGIN, Truck

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "haulproof" / "segments.json").read_text()
)
EXPECT = VECTORS["expect"]
REFUSED = {vector["name"]: vector["statement"] for vector in VECTORS["refused"]}


def vector_key() -> PublicKey:
    x, y = (bytes.fromhex(VECTORS["public_key"][part]) for part in "xy")
    return PublicKey.from_cose_key(cbor.encode({1: 2, 3: ES256, -1: 1, -2: x, -3: y}))


def verify(parsed: Parsed, keys: Keys) -> Verified:
    """One statement as a batch of its own."""
    batch = verify_batch([parsed], keys)
    for one in batch.refused:
        raise StatementRefused(one.reason, one.detail)
    (verified,) = batch.verified
    return verified


def take_vector(statement: str) -> VerifiedSegment:
    carrier, device = EXPECT["issuer"].removeprefix("hp:").split("/")
    message = Message(f"hp/v1/{carrier}/{device}/seg", bytes.fromhex(statement), NOW)
    keys = {(carrier, device): [DeviceKey(vector_key(), revoked=False)]}
    verified = verify(parse(message, EXPECT["origin"]), keys)
    assert isinstance(verified, VerifiedSegment)
    return verified


@pytest.mark.parametrize("vector", VECTORS["good"], ids=[v["name"] for v in VECTORS["good"]])
def test_good_reference_vectors_are_taken(vector: dict[str, Any]) -> None:
    verified = take_vector(vector["statement"])

    assert verified.digest.hex() == vector["sha256"]
    assert verified.new.vehicle == EXPECT["subject"]
    payload = sign1.parse(bytes.fromhex(vector["statement"])).payload
    assert verified.identity.seq == vector.get("seq", read_segment(payload).seq)


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_refused_reference_vectors_are_refused(statement: str) -> None:
    with pytest.raises(StatementRefused):
        take_vector(statement)


@pytest.fixture
def truck() -> Truck:
    return Truck()


def reason_of(truck: Truck, payload: bytes, *keys: DeviceKey, topic: str | None = None) -> Reason:
    known = {(truck.carrier, truck.device): list(keys)}
    with pytest.raises(StatementRefused) as refusal:
        verify(parse(truck.message(payload, topic), ORIGIN), known)
    return refusal.value.reason


def own_key(truck: Truck, *, revoked: bool = False) -> DeviceKey:
    return DeviceKey(truck.signer.public, revoked)


def test_segments_and_gaps_of_an_admitted_key_are_verified(truck: Truck) -> None:
    keys = {(truck.carrier, truck.device): [own_key(truck)]}

    segment = verify(parse(truck.message(truck.segment()), ORIGIN), keys)
    gap = verify(parse(truck.message(truck.gap()), ORIGIN), keys)

    assert isinstance(segment, VerifiedSegment)
    assert isinstance(gap, VerifiedGap)
    assert (segment.identity.seq, gap.identity.seq) == (0, 1)


def test_bytes_that_are_no_statement_are_malformed_and_too_many_too_large(truck: Truck) -> None:
    assert reason_of(truck, b"") is Reason.MALFORMED
    assert reason_of(truck, b"\xd2\x84") is Reason.MALFORMED
    assert reason_of(truck, bytes(STATEMENT_BYTES_MAX + 1)) is Reason.TOO_LARGE


def test_a_topic_gives_no_authority(truck: Truck) -> None:
    raw = truck.segment()

    assert reason_of(truck, raw, topic="hp/v1/acme/dev-2/seg") is Reason.WRONG_TOPIC
    assert reason_of(truck, raw, topic="hp/v1/other/dev-1/seg") is Reason.WRONG_TOPIC
    assert reason_of(truck, raw, topic="hp/v1/acme/dev-1/ack") is Reason.WRONG_TOPIC


def test_devices_send_segments_and_gaps_of_this_log_only(truck: Truck) -> None:
    payload = b"\xa0"

    assert reason_of(truck, truck.sign(Kind.TRIP, payload)) is Reason.WRONG_TYPE
    other_log = truck.sign(Kind.SEGMENT, payload, origin="example.org/another")
    assert reason_of(truck, other_log) is Reason.WRONG_ORIGIN
    assert reason_of(truck, truck.sign(Kind.SEGMENT, payload, vehicle="v\0")) is Reason.MALFORMED


def test_keys_decide_and_are_named(truck: Truck) -> None:
    raw = truck.segment()
    other = DeviceKey(SoftwareSigner.generate().public, revoked=False)

    assert reason_of(truck, raw) is Reason.UNKNOWN_ISSUER
    assert reason_of(truck, raw, other) is Reason.UNKNOWN_KEY


def test_what_a_key_may_no_longer_say_is_verified_and_barred(truck: Truck) -> None:
    raws = [truck.segment(), truck.gap(), truck.segment()]
    listed = Rotation(truck.signer.public.thumbprint, {truck.boot: 1})

    def barred(key: DeviceKey) -> list[Reason | None]:
        keys = {(truck.carrier, truck.device): [key]}
        return [verify(parse(truck.message(raw), ORIGIN), keys).barred for raw in raws]

    assert barred(own_key(truck)) == [None] * 3
    assert barred(own_key(truck, revoked=True)) == [Reason.REVOKED_KEY] * 3
    replaced = DeviceKey(truck.signer.public, rotation=listed)
    assert barred(replaced) == [None, None, Reason.ROTATED_KEY]
    assert barred(replace(replaced, revoked=True)) == [Reason.REVOKED_KEY] * 3
    forged = raws[0][:-1] + bytes([raws[0][-1] ^ 1])
    assert reason_of(truck, forged, own_key(truck, revoked=True)) is Reason.BAD_SIGNATURE


def test_a_forged_signature_and_a_broken_payload_have_different_reasons(truck: Truck) -> None:
    raw = truck.segment()
    forged = raw[:-1] + bytes([raw[-1] ^ 1])
    broken = truck.sign(Kind.SEGMENT, b"\xa1\x01\x01")

    assert reason_of(truck, forged, own_key(truck)) is Reason.BAD_SIGNATURE
    assert reason_of(truck, broken, own_key(truck)) is Reason.MALFORMED
    assert reason_of(truck, truck.sign(Kind.GAP, b"\xa0"), own_key(truck)) is Reason.MALFORMED


def test_the_algorithm_is_the_key_record_s(truck: Truck) -> None:
    raw = truck.segment()
    edwards = SoftwareSigner.generate(EDDSA).public
    same_kid = DeviceKey(renamed(edwards, truck.signer.public.thumbprint), revoked=False)

    assert reason_of(truck, raw, same_kid) is Reason.WRONG_KEY
    assert verify(
        parse(truck.message(raw), ORIGIN),
        {(truck.carrier, truck.device): [same_kid, own_key(truck)]},
    )


def renamed(key: PublicKey, thumbprint: bytes) -> PublicKey:
    return replace(key, thumbprint=thumbprint)


def test_only_what_may_change_is_refused_for_now(truck: Truck) -> None:
    message = truck.message(b"")

    passing = {r for r in Reason if not refused(message, r, "").permanent}

    assert passing == {
        Reason.UNKNOWN_ISSUER,
        Reason.UNKNOWN_KEY,
        Reason.REVOKED_KEY,
        Reason.OVER_QUOTA,
    }
    assert not refused(message, Reason.MALFORMED, "", passing=True).permanent


def test_a_message_on_no_device_s_topic_is_filed_but_cannot_be_answered(truck: Truck) -> None:
    lost = refused(truck.message(b"", "hp/v1/ACME/x/seg"), Reason.WRONG_TOPIC, "")

    assert (lost.carrier, lost.device) == NO_DEVICE
    assert not lost.answerable
    assert device_of("hp/v1/acme/dev-1/seg") == ("acme", "dev-1")
