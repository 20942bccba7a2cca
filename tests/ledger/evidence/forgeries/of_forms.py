"""Files that hold too much, too little or something else than their trip says."""

from collections.abc import Callable
from dataclasses import replace

from ledger.evidence.file import Form
from ledger.evidence.reasons import Code
from schemas.cose import sign1
from schemas.kinds import Kind
from tests.ledger.evidence.forgeries.corpus import DEVICE, Forgery, changed, forgery, of
from tests.ledger.evidence.world import (
    ORIGIN,
    T0,
    THRESHOLDS,
    VEHICLE,
    Drive,
    World,
    drive,
    segment_payload,
    trip_payload,
)


@forgery
def a_trip_file_with_segments() -> Forgery:
    honest = drive()
    indices = [*honest.keys, honest.binding, *honest.readings, honest.trip]
    data = honest.world.evidence(Form.TRIP, indices)
    return of(honest, data, Code.UNEXPECTED_STATEMENT)


@forgery
def a_trip_file_without_a_trip() -> Forgery:
    honest = drive()
    return of(honest, honest.world.evidence(Form.TRIP, [honest.exchange]), Code.MISSING_STATEMENT)


@forgery
def a_file_of_segments_without_one() -> Forgery:
    honest = drive()
    data = honest.world.evidence(Form.SEGMENTS, [*honest.keys, honest.binding])
    return of(honest, data, Code.MISSING_STATEMENT)


@forgery
def a_trip_file_with_two_trips() -> Forgery:
    honest = drive()
    world = honest.world
    payload = trip_payload(world, honest.readings, [honest.binding])
    second = world.put(world.keys.exchange, Kind.TRIP, "hp:exchange", VEHICLE, payload)
    data = world.evidence(Form.TRIP, [honest.exchange, honest.trip, second])
    return of(honest, data, Code.UNEXPECTED_STATEMENT)


@forgery
def thresholds_in_a_trip_file() -> Forgery:
    honest = drive()
    data = changed(honest.trip_file(), lambda file: replace(file, thresholds=THRESHOLDS))
    return of(honest, data, Code.UNEXPECTED_STATEMENT)


def _trip_of(make: Callable[[Drive], bytes], code: Code, *, subject: str = VEHICLE) -> Forgery:
    """A full file whose trip is the forger's payload, signed by the exchange."""
    honest = drive()
    world = honest.world
    trip = world.put(world.keys.exchange, Kind.TRIP, "hp:exchange", subject, make(honest))
    indices = [*honest.keys, honest.binding, *honest.readings, trip]
    return of(honest, world.evidence(Form.FULL, indices, thresholds=THRESHOLDS), code)


@forgery
def a_trip_derived_from_fewer_segments_than_the_file_holds() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(honest.world, honest.readings[:-1], [honest.binding]),
        Code.PROVENANCE_MISMATCH,
    )


@forgery
def a_trip_derived_from_a_segment_that_the_file_lacks() -> Forgery:
    def make(honest: Drive) -> bytes:
        world = honest.world
        extra = world.put(
            world.keys.device, Kind.SEGMENT, DEVICE, VEHICLE, segment_payload(7, T0 + 90_000)
        )
        return trip_payload(world, [*honest.readings, extra], [honest.binding])

    return _trip_of(make, Code.PROVENANCE_MISMATCH)


@forgery
def a_trip_derived_from_other_segments_at_these_indices() -> Forgery:
    def make(honest: Drive) -> bytes:
        world = World()
        world.statements = list(honest.world.statements)
        first = honest.readings[0]
        world.statements[first] = world.statements[honest.readings[1]]
        return trip_payload(world, honest.readings, [honest.binding])

    return _trip_of(make, Code.PROVENANCE_MISMATCH)


@forgery
def a_trip_that_cites_a_binding_that_the_file_lacks() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(honest.world, honest.readings, [honest.binding + 3]),
        Code.PROVENANCE_MISMATCH,
    )


@forgery
def a_trip_that_cites_a_watermark_that_the_file_lacks() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(
            honest.world, honest.readings, [honest.binding], watermark=(5, T0)
        ),
        Code.PROVENANCE_MISMATCH,
    )


@forgery
def a_trip_derived_with_other_thresholds() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(
            honest.world, honest.readings, [honest.binding], thresholds=b"\x80"
        ),
        Code.THRESHOLDS_MISMATCH,
    )


@forgery
def a_trip_of_another_vehicle_than_its_segments() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(
            honest.world, honest.readings, [honest.binding], vehicle="v-other"
        ),
        Code.PROVENANCE_MISMATCH,
        subject="v-other",
    )


@forgery
def a_trip_under_another_subject() -> Forgery:
    return _trip_of(
        lambda honest: trip_payload(honest.world, honest.readings, [honest.binding]),
        Code.WRONG_SUBJECT,
        subject="v-other",
    )


@forgery
def a_trip_that_is_none() -> Forgery:
    return _trip_of(lambda honest: b"\xa0", Code.MALFORMED_STATEMENT)


@forgery
def a_trip_signed_by_the_carrier() -> Forgery:
    honest = drive()
    world = honest.world
    payload = trip_payload(world, honest.readings, [honest.binding])
    trip = world.put(world.keys.carrier, Kind.TRIP, "hp:acme", VEHICLE, payload)
    indices = [*honest.keys, honest.binding, *honest.readings, trip]
    data = world.evidence(Form.FULL, indices, thresholds=THRESHOLDS)
    return of(honest, data, Code.UNKNOWN_ISSUER)


def _key_status(make: Callable[[Drive], bytes]) -> Forgery:
    honest = drive()
    status = make(honest)
    data = honest.world.evidence(Form.TRIP, [honest.exchange, honest.trip], key_status=status)
    return of(honest, data, Code.BAD_KEY_STATUS)


@forgery
def a_key_status_that_is_none() -> Forgery:
    return _key_status(lambda honest: b"\x00")


@forgery
def a_key_status_of_another_type() -> Forgery:
    return _key_status(lambda honest: honest.world.raw(honest.trip))


@forgery
def a_key_status_about_other_keys() -> Forgery:
    return _key_status(lambda honest: honest.world.key_status([honest.carrier]))


@forgery
def a_key_status_of_an_older_tree() -> Forgery:
    return _key_status(lambda honest: honest.world.key_status([honest.exchange], size=3))


@forgery
def a_key_status_signed_by_the_carrier() -> Forgery:
    def make(honest: Drive) -> bytes:
        raw = honest.world.key_status([honest.exchange])
        statement = sign1.parse(raw)
        return sign1.sign(
            honest.world.keys.carrier,
            issuer="hp:exchange",
            subject=ORIGIN,
            origin=ORIGIN,
            type_text=statement.header.type,
            payload=statement.payload,
        )

    return _key_status(make)
