"""Every operation of the OpenAPI document, asked by those who may not have an answer.

The cases come from the committed document, so a new operation is asked too, and one whose
parameters are not known here fails until they are.
"""

import json
from typing import Any

import httpx
import pytest

from exchange.api.document import COMMITTED, operations
from schemas.cose.keys import SoftwareSigner
from tests.exchange.api.conftest import Settled
from tests.exchange.device_keys import release_body, revocation_body, rotation_body
from tests.exchange.world import Organisation

DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_text())
OPERATIONS = {f"{method} {path}": found for method, path, found in operations(DOCUMENT)}
GUARDED = [name for name, found in OPERATIONS.items() if found.get("security")]
READS = [name for name in GUARDED if name.startswith("GET ")]
PUBLIC = {
    "GET /healthz",
    "GET /log/checkpoint",
    "GET /log/checkpoint.latest",
    "GET /log/key/{index}",
    "GET /log/tile/{path}",
    "GET /v1/log",
    "GET /v1/log/consistency",
    "GET /v1/log/leaves/{leaf_hash}",
    "GET /v1/log/records/{digest}",
    "POST /oauth/token",
}


def request(settled: Settled, name: str) -> dict[str, Any]:
    """The operation as acme would ask it, about acme's things."""
    method, path = name.split(" ")
    ids = {"/v1/trips": settled.trip_id, "/v1/grants": settled.grant_id}
    ids |= {"/v1/devices": "box-1", "/v1/orgs": "acme"}
    values = {
        "vehicle": "v-1",
        "subject": "v-1",
        "from": "2023-11-14T22:00:00Z",
        "to": "2023-11-14T23:00:00Z",
        "form": "full",
    }
    params: dict[str, str] = {}
    for parameter in OPERATIONS[name].get("parameters", ()):
        if parameter["in"] == "path":
            place = path.index("{" + parameter["name"] + "}")
            path = path.replace("{" + parameter["name"] + "}", ids[path[: place - 1]])
        elif (parameter["in"] == "query" and parameter["required"]) or parameter["name"] in values:
            params[parameter["name"]] = values[parameter["name"]]
    asked: dict[str, Any] = {"method": method, "url": path, "params": params}
    return asked | ({"json": body(settled, name)} if method == "POST" else {})


def body(settled: Settled, name: str) -> dict[str, Any]:
    """What acme (or the operator) would send."""
    world, acme = settled.world, settled.acme
    if name == "POST /v1/orgs":
        return dict(world.admission("newcomer", "carrier", SoftwareSigner.generate()))
    if name == "POST /v1/devices":
        statements = world.device_statements(acme, "dev-9", "v-9", SoftwareSigner.generate())
        return {"statements": statements}
    if name == "POST /v1/grants":
        return {"statement": world.grant_statement(acme, "stranger")}
    if name == "POST /v1/grants/{id}/revocation":
        granted = {"id": settled.grant_id, "grantee": "insurer-x"}
        return dict(world.revocation(acme, granted))
    if name == "POST /v1/devices/{device}/rotation":
        return dict(
            rotation_body(
                world, acme, "box-1", SoftwareSigner.generate(), SoftwareSigner.generate(), {}
            )
        )
    if name == "POST /v1/devices/{device}/revocation":
        return dict(revocation_body(world, acme, "box-1", "00" * 32))
    if name == "POST /v1/devices/{device}/release":
        return dict(release_body(world, acme, "box-1", [bytes(32)]))
    if name == "POST /v1/orgs/{name}/revocation":
        return {}
    raise AssertionError(f"say here what {name} is sent")


def ask(settled: Settled, name: str, headers: dict[str, str]) -> httpx.Response:
    return settled.world.http.request(headers=headers, **request(settled, name))


def tree_size(settled: Settled) -> int:
    with settled.world.exchange.connection() as conn:
        row = conn.execute("SELECT size FROM tree_head").fetchone()
    assert row is not None
    return int(row[0])


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:haulproof:problem:{slug}"


def test_what_is_public_is_so_on_purpose() -> None:
    assert set(OPERATIONS) - set(GUARDED) == PUBLIC


@pytest.mark.parametrize("name", GUARDED)
def test_without_a_token_there_is_no_answer(settled: Settled, name: str) -> None:
    answer = ask(settled, name, {})

    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", GUARDED)
def test_a_token_of_another_exchange_gets_no_answer(settled: Settled, name: str) -> None:
    head, claims, signature = settled.acme.token.split(".")
    forged = f"{head}.{claims}.{signature[:-6]}AAAAAA"

    assert_problem(
        ask(settled, name, {"Authorization": f"Bearer {forged}"}), 401, "unauthenticated"
    )


@pytest.mark.parametrize("name", READS)
def test_the_carrier_itself_is_answered(settled: Settled, name: str) -> None:
    answer = ask(settled, name, settled.acme.headers)

    assert answer.status_code == 200, answer.text
    assert_has_acmes_data(answer, True)


@pytest.mark.parametrize("who", ["stranger", "rival", "operator"])
@pytest.mark.parametrize("name", READS)
def test_without_a_grant_nothing_of_the_carrier_is_read(
    settled: Settled, name: str, who: str
) -> None:
    answer = ask(settled, name, caller(settled, who).headers)

    assert answer.status_code in (200, 403), answer.text
    assert_has_acmes_data(answer, False)


@pytest.mark.parametrize("who", ["stranger", "rival", "insurer", "operator"])
@pytest.mark.parametrize("name", [name for name in GUARDED if name not in READS])
def test_as_the_wrong_organisation_nothing_is_written(
    settled: Settled, name: str, who: str
) -> None:
    if (name.startswith("POST /v1/orgs"), who) == (True, "operator"):
        who = "acme"
    size = tree_size(settled)
    answer = ask(settled, name, caller(settled, who).headers)

    assert answer.status_code in (403, 404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert tree_size(settled) == size


def caller(settled: Settled, who: str) -> Organisation:
    found = settled.world.operator if who == "operator" else getattr(settled, who)
    assert isinstance(found, Organisation)
    return found


def assert_has_acmes_data(answer: httpx.Response, expected: bool) -> None:
    """Whether an answer holds anything of acme's: its name, or the pseudonym of its vehicle."""
    found = answer.is_success and (b"acme" in answer.content or b"v-1" in answer.content)
    assert found == expected, answer.text
