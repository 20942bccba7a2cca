"""An organisation's key is revoked: it signs nothing more, and the organisation gets a new one."""

from typing import Any

import pytest

from exchange.transparency.repository import key_epoch
from schemas.cose.keys import SoftwareSigner
from tests.exchange.devices.intake import admitted, take
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


def revoke(world: World, name: str, thumbprint: str | None = None) -> Any:
    return world.http.post(
        f"/v1/orgs/{name}/revocation",
        json={"thumbprint": thumbprint},
        headers=world.operator.headers,
    )


def test_a_revoked_key_admits_nothing_and_what_it_admitted_stands(
    world: World, acme: Organisation
) -> None:
    truck = admitted(world, acme)
    with world.exchange.connection() as conn:
        before = key_epoch(conn)
    revoked = revoke(world, "acme")
    body = {"statements": world.device_statements(acme, "dev-2", "v-2", SoftwareSigner.generate())}
    admission = world.http.post("/v1/devices", json=body, headers=acme.headers)
    result = take(world, truck, [truck.segment()])

    assert revoked.status_code == 201, revoked.text
    assert [one["thumbprint"] for one in revoked.json()["revoked"]] == [
        acme.signer.public.thumbprint.hex()
    ]
    assert admission.json()["reason"] == "unknown-key"
    assert len(result.committed) == 1
    with world.exchange.connection() as conn:
        assert key_epoch(conn) > before


def test_the_organisation_is_admitted_again_with_a_new_key_and_never_with_the_old_one(
    world: World, acme: Organisation
) -> None:
    fresh = SoftwareSigner.generate()
    early = world.http.post(
        "/v1/orgs", json=world.admission("acme", "carrier", fresh), headers=world.operator.headers
    )
    revoke(world, "acme")
    answers = [
        world.http.post(
            "/v1/orgs",
            json=world.admission("acme", "carrier", signer),
            headers=world.operator.headers,
        )
        for signer in (acme.signer, fresh)
    ]
    admitted_again = answers[1].json()
    acme.token = world.token_of(admitted_again["client_id"], admitted_again["client_secret"])
    acme.signer = fresh
    admitted(world, acme)

    assert [answer.status_code for answer in (early, *answers)] == [409, 409, 201]


def test_revoking_again_changes_nothing(world: World, acme: Organisation) -> None:
    first = revoke(world, "acme").json()

    assert revoke(world, "acme", acme.signer.public.thumbprint.hex()).json() == first
    assert first["name"] == "acme"


def test_the_exchange_s_own_key_and_one_that_nobody_has_are_not_revoked(
    world: World, acme: Organisation
) -> None:
    own = revoke(world, world.exchange.organisation)
    nobody = revoke(world, "nobody")
    other = revoke(world, "acme", "00" * 32)
    by_carrier = world.http.post("/v1/orgs/acme/revocation", json={}, headers=acme.headers)

    assert [one.status_code for one in (own, nobody, other, by_carrier)] == [422, 404, 404, 403]
