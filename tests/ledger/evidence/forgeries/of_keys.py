"""Forgeries of key records and bindings, really committed by the log."""

from ledger.evidence.file import Form
from ledger.evidence.reasons import Code
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import Kind
from schemas.statements.org_key import Role
from tests.ledger.evidence.forgeries.corpus import Forgery, forgery, signed_segment
from tests.ledger.evidence.world import (
    T0,
    VEHICLE,
    Keys,
    World,
    binding_payload,
    device_key_payload,
    es256,
    gap_payload,
    org_key_payload,
)


@forgery
def a_device_key_that_comes_after_what_it_signed() -> Forgery:
    world = World()
    keys = world.keys
    operator = org_key_payload("exchange", Role.OPERATOR, keys.exchange)
    carrier = org_key_payload("acme", Role.CARRIER, keys.carrier)
    world.put(keys.exchange, Kind.ORG_KEY, "hp:exchange", "exchange", operator)
    world.put(keys.exchange, Kind.ORG_KEY, "hp:exchange", "acme", carrier)
    world.put(keys.carrier, Kind.BINDING, "hp:acme", VEHICLE, binding_payload())
    world.commit(*signed_segment(world))
    payload = device_key_payload(keys.device)
    world.put(keys.carrier, Kind.DEVICE_KEY, "hp:acme", "dev-1", payload)
    data = world.evidence(Form.SEGMENTS, range(5))
    return Forgery(data, world.policy_text(), Code.UNKNOWN_ISSUER)


def _enrolled(code: Code, **changed: tuple[SoftwareSigner, str, str, bytes]) -> Forgery:
    """A file of one segment in which one key record is the forger's (signer, issuer, ...)."""
    world = World()
    keys = world.keys
    records = {
        "operator": (
            keys.exchange,
            "hp:exchange",
            "exchange",
            org_key_payload("exchange", Role.OPERATOR, keys.exchange),
        ),
        "carrier": (
            keys.exchange,
            "hp:exchange",
            "acme",
            org_key_payload("acme", Role.CARRIER, keys.carrier),
        ),
        "device": (keys.carrier, "hp:acme", "dev-1", device_key_payload(keys.device)),
        "binding": (keys.carrier, "hp:acme", VEHICLE, binding_payload()),
    } | changed
    kinds = {"device": Kind.DEVICE_KEY, "binding": Kind.BINDING}
    for name, (signer, issuer, subject, payload) in records.items():
        world.put(signer, kinds.get(name, Kind.ORG_KEY), issuer, subject, payload)
    world.commit(*signed_segment(world))
    data = world.evidence(Form.SEGMENTS, range(len(world.statements)))
    return Forgery(data, world.policy_text(), code)


_KEYS = Keys()


@forgery
def an_exchange_key_of_no_operator() -> Forgery:
    payload = org_key_payload("exchange", Role.REGULATOR, _KEYS.exchange)
    record = (_KEYS.exchange, "hp:exchange", "exchange", payload)
    return _enrolled(Code.UNKNOWN_ISSUER, operator=record)


@forgery
def an_exchange_key_signed_by_another() -> Forgery:
    payload = org_key_payload("exchange", Role.OPERATOR, _KEYS.exchange)
    record = (es256(99), "hp:exchange", "exchange", payload)
    return _enrolled(Code.UNKNOWN_ISSUER, operator=record)


@forgery
def a_carrier_key_signed_by_the_carrier() -> Forgery:
    payload = org_key_payload("acme", Role.CARRIER, _KEYS.carrier)
    return _enrolled(Code.UNKNOWN_ISSUER, carrier=(_KEYS.carrier, "hp:acme", "acme", payload))


@forgery
def a_carrier_key_of_an_insurer() -> Forgery:
    payload = org_key_payload("acme", Role.INSURER, _KEYS.carrier)
    record = (_KEYS.exchange, "hp:exchange", "acme", payload)
    return _enrolled(Code.UNKNOWN_ISSUER, carrier=record)


@forgery
def a_carrier_key_under_another_subject() -> Forgery:
    payload = org_key_payload("acme", Role.CARRIER, _KEYS.carrier)
    record = (_KEYS.exchange, "hp:exchange", "other", payload)
    return _enrolled(Code.WRONG_SUBJECT, carrier=record)


@forgery
def a_second_operator_signed_by_itself() -> Forgery:
    payload = org_key_payload("rogue", Role.OPERATOR, es256(77))
    return _enrolled(Code.UNKNOWN_ISSUER, second=(es256(77), "hp:rogue", "rogue", payload))


@forgery
def a_second_exchange_key_signed_by_itself() -> Forgery:
    payload = org_key_payload("exchange", Role.OPERATOR, es256(77))
    return _enrolled(Code.UNKNOWN_ISSUER, second=(es256(77), "hp:exchange", "exchange", payload))


@forgery
def a_device_key_of_another_carrier() -> Forgery:
    payload = device_key_payload(_KEYS.device, carrier="other")
    return _enrolled(Code.WRONG_SUBJECT, device=(_KEYS.carrier, "hp:acme", "dev-1", payload))


@forgery
def a_device_key_without_possession() -> Forgery:
    payload = device_key_payload(_KEYS.device, proof_by=es256(99))
    return _enrolled(Code.BAD_KEY_RECORD, device=(_KEYS.carrier, "hp:acme", "dev-1", payload))


@forgery
def a_device_key_with_possession_for_another_log() -> Forgery:
    payload = device_key_payload(_KEYS.device, origin="other.example/log")
    return _enrolled(Code.BAD_KEY_RECORD, device=(_KEYS.carrier, "hp:acme", "dev-1", payload))


@forgery
def a_device_key_signed_by_the_exchange() -> Forgery:
    payload = device_key_payload(_KEYS.device)
    record = (_KEYS.exchange, "hp:exchange", "dev-1", payload)
    return _enrolled(Code.UNKNOWN_ISSUER, device=record)


@forgery
def a_binding_under_another_subject() -> Forgery:
    record = (_KEYS.carrier, "hp:acme", "v-other", binding_payload())
    return _enrolled(Code.WRONG_SUBJECT, binding=record)


@forgery
def a_binding_of_another_device() -> Forgery:
    record = (_KEYS.carrier, "hp:acme", VEHICLE, binding_payload(device="dev-2"))
    return _enrolled(Code.UNBOUND_VEHICLE, binding=record)


@forgery
def a_binding_that_begins_later() -> Forgery:
    record = (_KEYS.carrier, "hp:acme", VEHICLE, binding_payload(from_ms=T0 + 60_000))
    return _enrolled(Code.UNBOUND_VEHICLE, binding=record)


@forgery
def a_binding_that_ended_before() -> Forgery:
    record = (_KEYS.carrier, "hp:acme", VEHICLE, binding_payload(to_ms=T0 + 4_000))
    return _enrolled(Code.UNBOUND_VEHICLE, binding=record)


@forgery
def a_binding_that_is_none() -> Forgery:
    record = (_KEYS.carrier, "hp:acme", VEHICLE, gap_payload(0, T0, T0))
    return _enrolled(Code.MALFORMED_STATEMENT, binding=record)
