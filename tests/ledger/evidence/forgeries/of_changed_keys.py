"""Files with statements of keys that were replaced or revoked, and with records that never held."""

from ledger.evidence.file import Form
from ledger.evidence.reasons import Code
from schemas.cose import cbor
from schemas.kinds import Kind
from schemas.statements.org_key import Role
from tests.ledger.evidence.changed_keys import NEW_KEY, Changing
from tests.ledger.evidence.forgeries.corpus import Forgery, forgery
from tests.ledger.evidence.world import (
    BOOT,
    World,
    device_key_payload,
    es256,
    org_key_payload,
)


def _of(truck: Changing, code: Code) -> Forgery:
    return Forgery(truck.file(), truck.world.policy_text(), code)


@forgery
def a_segment_past_what_the_rotation_lists() -> Forgery:
    truck = Changing.enrolled()
    truck.rotate({BOOT: 0})
    truck.segment()
    truck.segment()
    return _of(truck, Code.ROTATED_KEY)


@forgery
def a_segment_of_a_boot_that_the_rotation_does_not_list() -> Forgery:
    truck = Changing.enrolled()
    truck.rotate({b"another ": 99})
    truck.segment()
    return _of(truck, Code.ROTATED_KEY)


@forgery
def a_segment_of_a_replaced_key_whose_rotation_lists_nothing() -> Forgery:
    truck = Changing.enrolled()
    truck.rotate({})
    truck.segment()
    return _of(truck, Code.ROTATED_KEY)


@forgery
def a_segment_of_a_revoked_key() -> Forgery:
    truck = Changing.enrolled()
    truck.revoke()
    truck.segment()
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_segment_of_a_revoked_key_that_a_rotation_lists() -> Forgery:
    truck = Changing.enrolled()
    truck.rotate()
    truck.revoke()
    truck.segment()
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_segment_of_a_revoked_key_beside_one_that_was_released() -> Forgery:
    truck = Changing.enrolled()
    truck.revoke()
    late = truck.next_segment()
    truck.release([late])
    truck.world.commit(Kind.SEGMENT, late)
    truck.segment()
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_release_that_comes_after_what_it_releases() -> Forgery:
    truck = Changing.enrolled()
    truck.revoke()
    late = truck.segment()
    truck.release([truck.world.raw(late)])
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_release_for_another_device() -> Forgery:
    truck = Changing.enrolled()
    truck.revoke()
    late = truck.next_segment()
    truck.release([late], subject="dev-2")
    truck.world.commit(Kind.SEGMENT, late)
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_release_signed_by_the_exchange() -> Forgery:
    truck = Changing.enrolled()
    truck.revoke()
    late = truck.next_segment()
    truck.release([late], by=truck.world.keys.exchange, issuer="hp:exchange")
    truck.world.commit(Kind.SEGMENT, late)
    return _of(truck, Code.UNKNOWN_ISSUER)


@forgery
def a_release_that_is_none() -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    truck.world.put(truck.world.keys.carrier, Kind.DECLARATION, "hp:acme", "dev-1", b"\xa0")
    return _of(truck, Code.MALFORMED_STATEMENT)


@forgery
def a_revocation_by_another_carrier() -> Forgery:
    truck = Changing.enrolled()
    rival = es256(55)
    payload = org_key_payload("rival", Role.CARRIER, rival)
    keys = truck.world.keys
    truck.world.put(keys.exchange, Kind.ORG_KEY, "hp:exchange", "rival", payload)
    truck.segment()
    truck.revoke(by=rival, issuer="hp:rival")
    return _of(truck, Code.BAD_KEY_RECORD)


@forgery
def a_revocation_of_a_carrier_s_key_by_the_carrier() -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    truck.revoke(truck.carrier, kind=Kind.ORG_KEY, subject="acme")
    return _of(truck, Code.UNKNOWN_ISSUER)


@forgery
def a_revocation_of_no_key_of_the_file() -> Forgery:
    truck = Changing.enrolled()
    segment = truck.segment()
    truck.revoke(segment)
    return _of(truck, Code.BAD_KEY_RECORD)


@forgery
def a_revocation_of_a_grant_among_the_keys() -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    truck.revoke(kind=Kind.GRANT)
    return _of(truck, Code.BAD_KEY_RECORD)


@forgery
def a_revocation_under_another_subject() -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    truck.revoke(subject="dev-2")
    return _of(truck, Code.WRONG_SUBJECT)


@forgery
def a_device_key_signed_by_a_revoked_carrier_key() -> Forgery:
    truck = Changing.enrolled()
    keys = truck.world.keys
    truck.segment()
    truck.revoke(
        truck.carrier, kind=Kind.ORG_KEY, by=keys.exchange, issuer="hp:exchange", subject="acme"
    )
    truck.rotate()
    return _of(truck, Code.REVOKED_KEY)


@forgery
def a_rotation_that_lists_boots_out_of_order() -> Forgery:
    return _rotation({11: [[b"b" * 8, 0], [b"a" * 8, 0]]})


@forgery
def a_rotation_of_no_key() -> Forgery:
    return _rotation({10: bytes(31), 11: []})


@forgery
def a_rotation_without_its_boots() -> Forgery:
    return _rotation({10: bytes(32)})


def _rotation(change: dict[int, object]) -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    fields = cbor.decode(device_key_payload(NEW_KEY))
    payload = cbor.encode({10: bytes(32), **fields, **change} if 11 in change else fields | change)
    world = truck.world
    world.put(world.keys.carrier, Kind.DEVICE_KEY, "hp:acme", "dev-1", payload)
    return _of(truck, Code.BAD_KEY_RECORD)


@forgery
def a_key_status_that_leaves_the_revocation_out() -> Forgery:
    truck = Changing.enrolled()
    truck.segment()
    truck.revoke()
    world: World = truck.world
    status = world.key_status([truck.exchange, truck.carrier, truck.device])
    indices = range(len(world.statements))
    data = world.evidence(Form.SEGMENTS, indices, key_status=status)
    return Forgery(data, world.policy_text(), Code.BAD_KEY_STATUS)
