"""Grants: given by the carrier, seen by both sides, ended by a revocation."""

import re
from pathlib import Path
from typing import Any

import pytest

from exchange.grants.model import TRIP_FIELDS
from schemas.kinds import Kind
from schemas.statements.grant import Precision, Purpose
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


@pytest.fixture
def insurer(world: World) -> Organisation:
    return world.admit("insurer-x", "insurer")


def test_both_sides_see_a_grant_and_nobody_else_does(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    stranger = world.admit("insurer-y", "insurer")
    granted = world.grant(acme, "insurer-x")

    for side in (acme, insurer):
        listed = world.http.get("/v1/grants", headers=side.headers).json()
        assert listed == {"items": [granted], "next_cursor": None}
    listed = world.http.get("/v1/grants", headers=stranger.headers).json()
    assert listed["items"] == []


def test_pages_of_grants_meet_without_gap_or_overlap(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    made = [world.grant(acme, "insurer-x")["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = world.http.get("/v1/grants", params=params, headers=insurer.headers).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == made


def test_a_revoked_grant_says_so_and_a_second_revocation_changes_nothing(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    granted = world.grant(acme, "insurer-x")
    first = world.revoke(acme, granted)
    second = world.revoke(acme, granted)

    assert (granted["state"], first["state"]) == ("active", "revoked")
    assert second == first


def test_the_same_signed_grant_twice_is_one_grant(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    body = {"statement": world.grant_statement(acme, "insurer-x")}
    answers = [
        world.http.post("/v1/grants", json=body, headers=acme.headers).json() for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert len(world.http.get("/v1/grants", headers=acme.headers).json()["items"]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_ms": 1_000},
        {"window_from_ms": 2_000, "window_to_ms": 1_000},
        {"vehicles": ("*", "v-1")},
        {"purpose": Purpose.FINANCE},
        {"fields": ("distance", "distnce")},
    ],
    ids=["expired", "no window", "all and one", "not the grantee's purpose", "no part of a trip"],
)
def test_a_grant_that_opens_nothing_is_not_accepted(
    world: World, acme: Organisation, insurer: Organisation, changed: dict[str, Any]
) -> None:
    body = {"statement": world.grant_statement(acme, "insurer-x", **changed)}
    answer = world.http.post("/v1/grants", json=body, headers=acme.headers)

    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "urn:haulproof:problem:grant-not-accepted"


def test_the_page_for_readers_names_the_parts_that_a_grant_can_name() -> None:
    page = (Path(__file__).parents[3] / "docs" / "pull-and-verify-trips.md").read_text()
    listed = page.split("fields that a grant can name are")[1].split(".")[0]

    assert tuple(re.findall(r"`(\w+)`", listed)) == TRIP_FIELDS


def test_a_text_that_no_column_holds_is_refused(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    body = {"statement": world.grant_statement(acme, "insurer-x", legal_basis="a\x00b")}
    answer = world.http.post("/v1/grants", json=body, headers=acme.headers)

    assert (answer.status_code, answer.json()["reason"]) == (422, "malformed")


def test_a_grant_to_nobody_or_oneself_is_not_accepted(world: World, acme: Organisation) -> None:
    for grantee in ("insurer-x", "acme"):
        body = {"statement": world.grant_statement(acme, grantee)}
        answer = world.http.post("/v1/grants", json=body, headers=acme.headers)
        assert answer.status_code == 422


def test_only_the_carrier_that_gave_a_grant_revokes_it(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    rival = world.admit("rival", "carrier")
    granted = world.grant(acme, "insurer-x")
    path = f"/v1/grants/{granted['id']}/revocation"
    body = world.revocation(acme, granted)

    refused = [
        world.http.post(path, json=body, headers=caller.headers).status_code
        for caller in (insurer, rival, world.operator)
    ]
    by_rival = world.http.post(path, json=world.revocation(rival, granted), headers=acme.headers)
    other = world.grant(acme, "insurer-x", precision=Precision.NONE)
    of_other = world.http.post(path, json=world.revocation(acme, other), headers=acme.headers)

    assert refused == [403, 404, 403]
    assert by_rival.json()["reason"] == "unknown-issuer"
    assert of_other.json()["reason"] == "malformed"


def test_a_statement_of_another_kind_is_no_grant(
    world: World, acme: Organisation, insurer: Organisation
) -> None:
    body = {"statement": world.signed(Kind.BINDING, acme, "insurer-x", b"\xa0")}
    answer = world.http.post("/v1/grants", json=body, headers=acme.headers)

    assert answer.json()["reason"] == "wrong-type"
