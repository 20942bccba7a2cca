"""Forgeries of what devices sign, really committed by the log."""

from collections.abc import Callable

import cbor2

from ledger.evidence.file import Form
from ledger.evidence.reasons import Code
from schemas.cose import sign1
from schemas.kinds import Kind
from tests.ledger.evidence.forgeries.corpus import DEVICE, Forgery, forgery, signed_segment
from tests.ledger.evidence.world import (
    T0,
    VEHICLE,
    World,
    binding_payload,
    enrol,
    es256,
    segment_payload,
)


def _segments(
    statement: Callable[[World], tuple[int, bytes]], *, without: tuple[int, ...] = ()
) -> tuple[World, bytes]:
    """A file of segments whose last statement is made by the forger and really committed."""
    world = World()
    keys = enrol(world)
    good = world.put(world.keys.device, Kind.SEGMENT, DEVICE, VEHICLE, segment_payload(0, T0))
    bad = world.commit(*statement(world))
    indices = [index for index in (*keys, good, bad) if index not in without]
    return world, world.evidence(Form.SEGMENTS, indices)


def _segment_forgery(
    code: Code, statement: Callable[[World], tuple[int, bytes]], *, without: tuple[int, ...] = ()
) -> Forgery:
    world, data = _segments(statement, without=without)
    return Forgery(data, world.policy_text(), code)


def _reassembled(
    raw: bytes, *, signature: bytes | None = None, unprotected: dict[int, bytes] | None = None
) -> bytes:
    protected, _, payload, old = cbor2.loads(raw).value
    parts = [protected, unprotected or {}, payload, old if signature is None else signature]
    return cbor2.dumps(cbor2.CBORTag(18, parts))


@forgery
def a_segment_of_a_stranger() -> Forgery:
    return _segment_forgery(
        Code.UNKNOWN_ISSUER, lambda world: signed_segment(world, signer=es256(99))
    )


@forgery
def a_segment_of_another_device_of_the_carrier() -> Forgery:
    return _segment_forgery(
        Code.UNKNOWN_ISSUER, lambda world: signed_segment(world, issuer="hp:acme/dev-2")
    )


@forgery
def a_segment_signed_by_the_carrier() -> Forgery:
    return _segment_forgery(
        Code.UNKNOWN_ISSUER,
        lambda world: signed_segment(world, signer=world.keys.carrier, issuer="hp:acme"),
    )


@forgery
def a_segment_with_a_strangers_signature_under_the_devices_kid() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        kind, raw = signed_segment(world)
        other = sign1.parse(signed_segment(world, at_ms=T0 + 5_000)[1])
        return kind, _reassembled(raw, signature=other.signature)

    return _segment_forgery(Code.BAD_STATEMENT_SIGNATURE, make)


@forgery
def a_segment_with_the_high_twin_of_its_signature() -> Forgery:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def make(world: World) -> tuple[int, bytes]:
        kind, raw = signed_segment(world)
        signature = sign1.parse(raw).signature
        high = order - int.from_bytes(signature[32:], "big")
        return kind, _reassembled(raw, signature=signature[:32] + high.to_bytes(32, "big"))

    return _segment_forgery(Code.BAD_STATEMENT_SIGNATURE, make)


@forgery
def a_segment_with_something_in_its_unprotected_header() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        kind, raw = signed_segment(world)
        return kind, _reassembled(raw, unprotected={4: b"unsigned"})

    return _segment_forgery(Code.MALFORMED_STATEMENT, make)


@forgery
def a_segment_in_a_longer_encoding() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        kind, raw = signed_segment(world)
        return kind, raw[:1] + b"\x98\x04" + raw[2:]

    return _segment_forgery(Code.MALFORMED_STATEMENT, make)


@forgery
def a_segment_with_trailing_bytes() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        kind, raw = signed_segment(world)
        return kind, raw + b"\x00"

    return _segment_forgery(Code.MALFORMED_STATEMENT, make)


@forgery
def a_segment_without_a_time() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        payload = cbor2.dumps({1: 1})
        return Kind.SEGMENT, world.sign(world.keys.device, Kind.SEGMENT, DEVICE, VEHICLE, payload)

    return _segment_forgery(Code.MALFORMED_STATEMENT, make)


@forgery
def a_segment_filed_as_a_gap() -> Forgery:
    return _segment_forgery(Code.TYPE_MISMATCH, lambda world: (Kind.GAP, signed_segment(world)[1]))


@forgery
def a_segment_of_another_log() -> Forgery:
    return _segment_forgery(
        Code.WRONG_ORIGIN, lambda world: signed_segment(world, origin="other.example/log")
    )


@forgery
def a_segment_of_a_vehicle_that_the_device_never_sat_in() -> Forgery:
    return _segment_forgery(
        Code.UNBOUND_VEHICLE, lambda world: signed_segment(world, vehicle="v-other")
    )


@forgery
def a_grant_among_the_segments() -> Forgery:
    def make(world: World) -> tuple[int, bytes]:
        raw = world.sign(world.keys.carrier, Kind.GRANT, "hp:acme", "insurer", b"\xa0")
        return Kind.GRANT, raw

    return _segment_forgery(Code.UNEXPECTED_STATEMENT, make)


@forgery
def a_leaf_of_no_known_kind() -> Forgery:
    return _segment_forgery(Code.TYPE_MISMATCH, lambda world: (200, signed_segment(world)[1]))


@forgery
def no_binding_in_the_file() -> Forgery:
    return _segment_forgery(Code.UNBOUND_VEHICLE, signed_segment, without=(3,))


@forgery
def no_device_key_in_the_file() -> Forgery:
    return _segment_forgery(Code.UNKNOWN_ISSUER, signed_segment, without=(2,))


@forgery
def no_carrier_key_in_the_file() -> Forgery:
    return _segment_forgery(Code.UNKNOWN_ISSUER, signed_segment, without=(1,))


@forgery
def no_exchange_key_in_the_file() -> Forgery:
    return _segment_forgery(Code.UNKNOWN_ISSUER, signed_segment, without=(0,))


@forgery
def a_segment_of_a_second_vehicle() -> Forgery:
    world = World()
    keys = enrol(world)
    second = world.put(
        world.keys.carrier,
        Kind.BINDING,
        "hp:acme",
        "v-other",
        binding_payload(vehicle="v-other", from_ms=T0 + 100_000),
    )
    indices = [
        world.commit(*signed_segment(world)),
        world.commit(*signed_segment(world, vehicle="v-other", at_ms=T0 + 200_000)),
    ]
    data = world.evidence(Form.SEGMENTS, [*keys, second, *indices])
    return Forgery(data, world.policy_text(), Code.UNEXPECTED_STATEMENT)
