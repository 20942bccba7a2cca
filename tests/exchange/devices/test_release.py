"""A carrier releases what a revoked key signed: by its own signed record, whole or not at all."""

import base64
from dataclasses import astuple
from hashlib import sha256
from typing import Any

import pytest

from exchange.intake import quarantine
from exchange.intake.repository import list_aside
from exchange.store.database import connect
from exchange.transparency.repository import put_back, statements_of
from schemas.cose import sign1
from schemas.errors import Reason
from schemas.kinds import Kind
from schemas.statements import release
from tests.exchange.device_keys import release_body, revoke_newest
from tests.exchange.devices.intake import admit, admitted, rotate, take
from tests.exchange.intake.trucks import Truck
from tests.exchange.intake.whole_store import check_store, committed_digests
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


@pytest.fixture
def truck(world: World, acme: Organisation) -> Truck:
    """Its key is revoked."""
    truck = admitted(world, acme)
    revoke_newest(world, acme, "dev-1")
    return truck


def digest(raw: bytes) -> bytes:
    return sha256(raw).digest()


def aside(world: World, carrier: Organisation) -> list[dict[str, Any]]:
    answer = world.http.get("/v1/devices/dev-1/aside", headers=carrier.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def ask(world: World, carrier: Organisation, body: dict[str, str]) -> Any:
    return world.http.post("/v1/devices/dev-1/release", json=body, headers=carrier.headers)


def test_what_is_released_is_committed_behind_the_release_and_the_rest_stays_aside(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raws = [truck.segment(), truck.gap(), truck.segment()]
    take(world, truck, raws)
    chosen = [digest(raws[0]), digest(raws[1])]
    before = [one["digest"] for one in aside(world, acme)]
    answer = ask(world, acme, release_body(world, acme, "dev-1", chosen))

    assert answer.status_code == 201, answer.text
    released = answer.json()
    assert before == [digest(raw).hex() for raw in raws]
    assert [one["digest"] for one in aside(world, acme)] == before[2:]
    assert [one["digest"] for one in released["released"]] == before[:2]
    assert [one["index"] - released["index"] for one in released["released"]] == [1, 2]
    with world.exchange.connection() as conn:
        [record] = statements_of(conn, kinds=[Kind.DECLARATION], subject="dev-1", issuer="hp:acme")
        rows = conn.execute("SELECT digest, released_index FROM quarantine WHERE raw IS NULL")
        marked = {bytes(held): index for held, index in rows}
        kept = conn.execute("SELECT messages, bytes FROM quarantine_kept").fetchall()
        assert committed_digests(conn) == chosen
    assert record.index == released["index"]
    assert marked == dict.fromkeys(chosen, record.index)
    assert kept == [(1, len(raws[2]))] * 2
    assert release.decode(sign1.parse(record.raw).payload).digests == tuple(sorted(chosen))


def test_a_released_statement_that_comes_again_is_acknowledged(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raw = truck.segment()
    take(world, truck, [raw])
    released = ask(world, acme, release_body(world, acme, "dev-1", [digest(raw)])).json()
    result = take(world, truck, [raw])

    assert result.refused == []
    assert [one.index for one in result.duplicates] == [released["released"][0]["index"]]


def test_the_same_release_again_is_one_release(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raw = truck.segment()
    take(world, truck, [raw])
    body = release_body(world, acme, "dev-1", [digest(raw)])
    answers = [ask(world, acme, body).json() for _ in range(2)]

    assert answers[0] == answers[1]
    with world.exchange.connection() as conn:
        assert committed_digests(conn) == [digest(raw)]


def test_a_release_of_something_that_is_not_aside_releases_nothing(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raw = truck.segment()
    take(world, truck, [raw, b"noise"])
    size = tree_size(world)
    for also in (bytes(32), digest(b"noise")):
        answer = ask(world, acme, release_body(world, acme, "dev-1", [digest(raw), also]))
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:haulproof:problem:not-released"

    assert tree_size(world) == size
    assert len(aside(world, acme)) == 1


def test_of_two_statements_under_one_name_only_one_is_ever_released(
    world: World, acme: Organisation, truck: Truck
) -> None:
    one, other = truck.segment(seq=0), truck.segment(seq=0)
    take(world, truck, [one, other])
    both = ask(world, acme, release_body(world, acme, "dev-1", [digest(one), digest(other)]))
    first = ask(world, acme, release_body(world, acme, "dev-1", [digest(one)]))
    second = ask(world, acme, release_body(world, acme, "dev-1", [digest(other)]))

    assert [both.status_code, first.status_code, second.status_code] == [422, 201, 422]
    with world.exchange.connection() as conn:
        assert committed_digests(conn) == [digest(one)]


def test_only_the_carrier_itself_releases(world: World, acme: Organisation, truck: Truck) -> None:
    raw = truck.segment()
    take(world, truck, [raw])
    rival = world.admit("rival", "carrier")
    body = release_body(world, acme, "dev-1", [digest(raw)])
    answers = [
        ask(world, rival, body),
        ask(world, rival, release_body(world, rival, "dev-1", [digest(raw)])),
        ask(world, world.operator, body),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 403]
    assert aside(world, rival) == []
    assert len(aside(world, acme)) == 1


def test_a_release_signed_for_another_device_is_refused(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raw = truck.segment()
    take(world, truck, [raw])
    answer = ask(world, acme, release_body(world, acme, "dev-2", [digest(raw)]))

    assert answer.json()["reason"] == "malformed"


def test_what_was_replaced_and_not_listed_is_not_aside(world: World, acme: Organisation) -> None:
    truck = admitted(world, acme)
    late = truck.segment()
    rotate(world, acme, truck, {})
    result = take(world, truck, [late])

    assert [one.reason for one in result.refused] == [Reason.ROTATED_KEY]
    assert ask(world, acme, release_body(world, acme, "dev-1", [digest(late)])).status_code == 422


@pytest.mark.parametrize("came_back", ["aside still", "sent again"])
def test_a_release_of_which_a_restored_log_has_the_leaf_only_is_recorded_there(
    world: World, acme: Organisation, truck: Truck, came_back: str
) -> None:
    raw = truck.segment()
    body = release_body(world, acme, "dev-1", [digest(raw)])
    record = digest(base64.urlsafe_b64decode(body["statement"] + "=="))
    take(world, truck, [raw])
    with world.exchange.connection() as conn:
        leaf = put_back(conn, [(Kind.DECLARATION, record), (Kind.SEGMENT, digest(raw))])
    if came_back == "sent again":
        take(world, truck, [raw])
    answers = [ask(world, acme, body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    for answer in answers:
        assert answer.json()["index"] == leaf
        assert [one["index"] for one in answer.json()["released"]] == [leaf + 1]
    with world.exchange.connection() as conn:
        assert [one.index for one in statements_of(conn, kinds=[Kind.DECLARATION])] == [leaf]
        assert committed_digests(conn) == [digest(raw)]
    assert aside(world, acme) == []


def test_what_was_first_refused_for_an_unknown_key_is_released_once_that_is_revoked(
    world: World, acme: Organisation
) -> None:
    truck = Truck("dev-1", carrier="acme", origin=world.origin)
    raw = truck.segment()
    early = take(world, truck, [raw])
    admit(world, acme, truck)
    revoke_newest(world, acme, "dev-1")
    late = take(world, truck, [raw])
    listed = [one["digest"] for one in aside(world, acme)]
    answer = ask(world, acme, release_body(world, acme, "dev-1", [digest(raw)]))

    assert [one.reason for one in early.refused] == [Reason.UNKNOWN_ISSUER]
    assert [one.reason for one in late.refused] == [Reason.REVOKED_KEY]
    assert listed == [digest(raw).hex()]
    assert answer.status_code == 201, answer.text


def test_more_than_is_kept_is_released_in_turns(
    world: World, acme: Organisation, truck: Truck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of what did not fit are kept when it comes again and there is room."""
    monkeypatch.setattr(quarantine, "DEVICE_MESSAGES_MAX", 2)
    raws = [truck.segment() for _ in range(5)]
    turns = 0
    while len(take(world, truck, raws).duplicates) < len(raws):
        digests = [bytes.fromhex(one["digest"]) for one in aside(world, acme)]
        assert 0 < len(digests) <= 2
        assert ask(world, acme, release_body(world, acme, "dev-1", digests)).status_code == 201
        turns += 1

    assert turns == 3
    with world.exchange.connection() as conn:
        assert sorted(committed_digests(conn)) == sorted(map(digest, raws))
        assert conn.execute("SELECT messages, bytes FROM quarantine_kept").fetchall() == [
            (0, 0),
            (0, 0),
        ]
    with connect(world.settings) as conn:
        check_store(conn)


def tree_size(world: World) -> int:
    with world.exchange.connection() as conn:
        row = conn.execute("SELECT size FROM tree_head").fetchone()
    assert row is not None
    return int(row[0])


def test_the_list_of_what_is_aside_tells_sizes_and_does_not_fetch_the_bytes(
    world: World, acme: Organisation, truck: Truck
) -> None:
    raws = [truck.segment(), truck.gap()]
    take(world, truck, raws)
    with world.exchange.connection() as conn:
        listed = list_aside(conn, "acme", "dev-1")

    assert [one["bytes"] for one in aside(world, acme)] == [len(raw) for raw in raws]
    held = [value for one in listed for value in astuple(one) if isinstance(value, bytes)]
    assert max(map(len, held)) == 32
