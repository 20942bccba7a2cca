"""Evidence over the API of a truck whose keys changed: it verifies, by both implementations."""

from hashlib import sha256

import pytest

from ledger.evidence.file import decode
from ledger.evidence.independent import independent_verify
from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from ledger.policy import parse_policy
from schemas.kinds import Kind
from tests.exchange.device_keys import release_body, revoke_newest
from tests.exchange.devices.intake import admitted, rotate, take
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


def evidence(world: World, carrier: Organisation) -> tuple[Report, list[Kind]]:
    """The file of all segments under a new checkpoint, verified twice; its kinds."""
    world.publish()
    answer = world.http.get(
        "/v1/segments/evidence",
        params={"vehicle": "v-1", "from": "2023-11-14T00:00:00Z", "to": "2023-11-16T00:00:00Z"},
        headers=carrier.headers,
    )
    assert answer.status_code == 200, answer.text
    policy = f"log {world.http.get('/v1/log').json()['vkey']}\nquorum none\n"
    report = verify_evidence(answer.content, parse_policy(policy.encode()))
    second = independent_verify(answer.content, policy)
    assert report.verified, report.sentences()
    assert second["verified"], second
    return report, [Kind(one.kind) for one in decode(answer.content).statements]


def test_a_rotation_is_in_the_file_with_what_came_late(world: World, acme: Organisation) -> None:
    truck = admitted(world, acme)
    take(world, truck, [truck.segment()])
    late = truck.segment()
    rotate(world, acme, truck, {truck.boot: 1})
    take(world, truck, [truck.segment(), late])
    report, kinds = evidence(world, acme)

    assert kinds.count(Kind.DEVICE_KEY) == 2
    assert kinds.count(Kind.SEGMENT) == 3
    assert report.key_status_size is not None
    assert [change.revoked for change in report.signed.standing.changes] == [False]


def test_a_revocation_is_in_the_file_with_the_release_of_what_came_after(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    take(world, truck, [truck.segment()])
    revoke_newest(world, acme, "dev-1")
    late, later = truck.segment(), truck.segment()
    take(world, truck, [late, later])
    for raw in (late, later):
        body = release_body(world, acme, "dev-1", [sha256(raw).digest()])
        path = "/v1/devices/dev-1/release"
        world.http.post(path, json=body, headers=acme.headers).raise_for_status()
    report, kinds = evidence(world, acme)

    assert (kinds.count(Kind.REVOCATION), kinds.count(Kind.DECLARATION)) == (1, 2)
    assert kinds.count(Kind.SEGMENT) == 3
    assert report.key_status_size is not None


def test_the_revocation_of_the_carrier_s_key_is_in_the_file(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    world.http.post(
        "/v1/orgs/acme/revocation", json={}, headers=world.operator.headers
    ).raise_for_status()
    take(world, truck, [truck.segment()])
    report, kinds = evidence(world, acme)

    assert kinds.count(Kind.REVOCATION) == 1
    assert [change.holder for change in report.signed.standing.changes] == ["hp:acme"]
