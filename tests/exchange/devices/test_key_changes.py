"""Rotation and revocation of device keys, as carriers ask for them and intake acts on them."""

from hashlib import sha256

import pytest
from httpx import Response

from exchange.intake.keys import KeyRing
from exchange.intake.model import BatchResult
from exchange.transparency.repository import key_epoch, put_back
from schemas.cose.keys import SoftwareSigner
from schemas.errors import Reason
from schemas.kinds import Kind
from schemas.statements.device_key import TERMINAL_REPORTED
from tests.exchange.device_keys import keys_of, revocation_body, revoke_newest, rotation_body
from tests.exchange.devices.intake import admitted, rotate, take
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


def reasons(result: BatchResult) -> list[Reason]:
    return [one.reason for one in result.refused]


def epoch(world: World) -> int:
    with world.exchange.connection() as conn:
        return key_epoch(conn)


def test_within_its_list_a_replaced_key_stays_good_and_outside_it_is_refused(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    boot, kept = truck.boot, [truck.segment(), truck.gap(), truck.segment()]
    later = truck.segment()
    truck.boot = b"another "
    truck.seq = 0
    elsewhere = truck.segment()
    before = epoch(world)
    rotate(world, acme, truck, {boot: 2})
    fresh = truck.segment()

    result = take(world, truck, [later, kept[2], fresh, elsewhere, kept[0], kept[1]])

    assert epoch(world) > before
    assert [one.identity.seq for one in result.committed] == [2, 1, 0, 1]
    assert reasons(result) == [Reason.ROTATED_KEY] * 2
    assert all(one.permanent and one.identity is not None for one in result.refused)


def test_what_the_log_holds_of_a_replaced_or_revoked_key_is_acknowledged_again(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    raws = [truck.segment(), truck.gap()]
    first = take(world, truck, raws)
    rotate(world, acme, truck, {})
    replaced = take(world, truck, raws)
    newest = [truck.segment()]
    take(world, truck, newest)
    revoke_newest(world, acme, "dev-1")
    revoked = take(world, truck, [*raws, *newest])

    assert [one.index for one in replaced.duplicates] == [one.index for one in first.committed]
    assert len(revoked.duplicates) == 3
    assert replaced.refused == revoked.refused == []


def test_a_revoked_key_s_new_statements_are_kept_aside_with_their_bytes(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    revoke_newest(world, acme, "dev-1")
    raw = truck.segment()
    forged = raw[:-1] + bytes([raw[-1] ^ 1])
    result = take(world, truck, [raw, forged])

    assert sorted(reasons(result)) == [Reason.BAD_SIGNATURE, Reason.REVOKED_KEY]
    assert [one.permanent for one in result.refused if one.reason is Reason.REVOKED_KEY] == [False]
    with world.exchange.connection() as conn:
        kept = conn.execute("SELECT raw, seq FROM quarantine WHERE reason = 'revoked-key'")
        assert kept.fetchall() == [(raw, 0)]


@pytest.mark.parametrize("change", ["replaced", "revoked"])
def test_what_the_restored_log_held_of_such_a_key_returns_to_its_leaf(
    world: World, acme: Organisation, change: str
) -> None:
    truck = admitted(world, acme)
    held, new = truck.segment(), truck.segment()
    with world.exchange.connection() as conn:
        leaf = put_back(conn, [(int(Kind.SEGMENT), sha256(held).digest())])
    if change == "replaced":
        rotate(world, acme, truck, {})
    else:
        revoke_newest(world, acme, "dev-1")
    result = take(world, truck, [new, held])

    assert [one.index for one in result.committed] == [leaf]
    assert len(result.refused) == 1


def test_another_statement_under_a_name_that_is_taken_is_equivocation_all_the_same(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    first, second = truck.segment(seq=0), truck.segment(seq=0)
    take(world, truck, [first])
    revoke_newest(world, acme, "dev-1")

    assert reasons(take(world, truck, [second])) == [Reason.EQUIVOCATION]


def test_revoking_outweighs_a_rotation_that_lists_the_statement(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    listed = truck.segment()
    rotate(world, acme, truck, {truck.boot: 0})
    first = keys_of(world, acme, "dev-1")[0]["id"]
    answer = world.http.post(
        "/v1/devices/dev-1/revocation",
        json=revocation_body(world, acme, "dev-1", first),
        headers=acme.headers,
    )
    result = take(world, truck, [listed, truck.segment()])

    assert answer.status_code == 201
    assert reasons(result) == [Reason.REVOKED_KEY]
    assert len(result.committed) == 1
    assert [key["state"] for key in keys_of(world, acme, "dev-1")] == ["revoked", "standing"]


def test_a_device_whose_key_was_revoked_goes_on_with_a_new_one(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    old = truck.segment()
    revoke_newest(world, acme, "dev-1")
    rotate(world, acme, truck, {truck.boot: 0})
    result = take(world, truck, [old, truck.segment()])

    assert reasons(result) == [Reason.REVOKED_KEY]
    assert len(result.committed) == 1


def test_rotating_and_revoking_again_change_nothing(world: World, acme: Organisation) -> None:
    truck = admitted(world, acme)
    old = truck.signer
    rotate(world, acme, truck, {})
    before = epoch(world)
    again = world.http.post(
        "/v1/devices/dev-1/rotation",
        json=rotation_body(world, acme, "dev-1", truck.signer, old, {}),
        headers=acme.headers,
    )
    assert again.status_code == 201, again.text
    assert epoch(world) == before
    first = revoke_newest(world, acme, "dev-1")

    assert revoke_newest(world, acme, "dev-1") == first
    assert [key["state"] for key in keys_of(world, acme, "dev-1")] == ["replaced", "revoked"]


def test_only_the_newest_key_is_replaced_and_never_by_one_that_a_device_had(
    world: World, acme: Organisation
) -> None:
    truck, other = admitted(world, acme), admitted(world, acme, "dev-2")
    first = rotate(world, acme, truck, {})
    path, fresh = "/v1/devices/dev-1/rotation", SoftwareSigner.generate()
    wrong = {
        "an older key": (fresh, first, 409),
        "another device's key": (fresh, other.signer, 404),
        "by another device's key": (other.signer, truck.signer, 409),
        "by its own older key": (first, truck.signer, 409),
        "by itself": (truck.signer, truck.signer, 409),
    }
    for name, (new, old, status) in wrong.items():
        body = rotation_body(world, acme, "dev-1", new, old, {})
        answer = world.http.post(path, json=body, headers=acme.headers)
        assert answer.status_code == status, (name, answer.text)
    assert len(keys_of(world, acme, "dev-1")) == 2


def test_a_record_that_replaces_nothing_rotates_nothing_and_a_rotation_admits_nothing(
    world: World, acme: Organisation
) -> None:
    truck, fresh = admitted(world, acme), SoftwareSigner.generate()
    statements = world.device_statements(acme, "dev-1", "v-1", fresh)
    rotation = rotation_body(world, acme, "dev-1", fresh, truck.signer, {})
    plain = world.http.post(
        "/v1/devices/dev-1/rotation",
        json={"statement": statements["device_key"]},
        headers=acme.headers,
    )
    as_admission = world.http.post(
        "/v1/devices",
        json={"statements": {**statements, "device_key": rotation["statement"]}},
        headers=acme.headers,
    )

    assert [plain.json()["reason"], as_admission.json()["reason"]] == ["malformed", "malformed"]


def test_only_the_carrier_itself_changes_its_devices_keys(world: World, acme: Organisation) -> None:
    truck = admitted(world, acme)
    rival = world.admit("rival", "carrier")
    key = keys_of(world, acme, "dev-1")[0]["id"]
    fresh = SoftwareSigner.generate()
    asked = {
        "rotation": rotation_body(world, acme, "dev-1", fresh, truck.signer, {}),
        "revocation": revocation_body(world, acme, "dev-1", key),
    }
    by_rival = {
        "rotation": rotation_body(world, rival, "dev-1", fresh, truck.signer, {}),
        "revocation": revocation_body(world, rival, "dev-1", key),
    }
    for what, body in asked.items():
        path = f"/v1/devices/dev-1/{what}"
        replayed = world.http.post(path, json=body, headers=rival.headers)
        own = world.http.post(path, json=by_rival[what], headers=rival.headers)
        operator = world.http.post(path, json=body, headers=world.operator.headers)
        assert replayed.json()["reason"] == "unknown-issuer"
        assert (own.status_code, operator.status_code) == (404, 403)
    assert keys_of(world, rival, "dev-1") == []
    assert [one["state"] for one in keys_of(world, acme, "dev-1")] == ["standing"]


def test_a_device_has_no_more_keys_than_it_may_and_its_last_is_answered_again(
    world: World, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.devices.key_changes.DEVICE_KEYS_MAX", 2)
    truck, other = admitted(world, acme), admitted(world, acme, "dev-2")
    rotate(world, acme, other, {})
    first, last = truck.signer, SoftwareSigner.generate()
    bodies = [
        rotation_body(world, acme, "dev-1", last, first, {}),
        rotation_body(world, acme, "dev-1", SoftwareSigner.generate(), last, {}),
    ]

    def ask(body: dict[str, str]) -> Response:
        return world.http.post("/v1/devices/dev-1/rotation", json=body, headers=acme.headers)

    done, refused, again = ask(bodies[0]), ask(bodies[1]), ask(bodies[0])

    assert (done.status_code, refused.status_code) == (201, 409)
    assert "enrol it under another name" in refused.text
    assert (again.status_code, again.json()) == (201, done.json())
    assert [key["state"] for key in keys_of(world, acme, "dev-1")] == ["replaced", "standing"]


def test_a_worker_forgets_keys_whose_rotations_list_too_many_boots(
    world: World, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.intake.keys._BOOTS_MAX", 3)
    for device in ("dev-1", "dev-2", "dev-3"):
        truck = admitted(world, acme, device)
        rotate(world, acme, truck, {bytes([n]) * 8: 1 for n in range(2)})
    ring = KeyRing()
    known = []
    with world.exchange.connection() as conn:
        for device in ("dev-1", "dev-2", "dev-3"):
            ring.learn(conn, [("acme", device)])
            known.append(sorted(device for _, device in ring.known))

    assert known == [["dev-1"], ["dev-1", "dev-2"], ["dev-3"]]


def test_a_rotation_leaves_the_device_s_assurance_level(world: World, acme: Organisation) -> None:
    """Trips that were derived already rest on it."""
    truck = admitted(world, acme)
    body = rotation_body(
        *(world, acme, "dev-1", SoftwareSigner.generate(), truck.signer, {}),
        assurance=TERMINAL_REPORTED,
    )
    before = epoch(world)
    answer = world.http.post("/v1/devices/dev-1/rotation", json=body, headers=acme.headers)

    assert answer.status_code == 409
    assert "assurance level" in answer.text
    assert [key["state"] for key in keys_of(world, acme, "dev-1")] == ["standing"]
    assert epoch(world) == before
