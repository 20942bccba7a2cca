"""The operator admits organisations; the exchange's own record comes first."""

import hashlib

import pytest

from exchange.transparency.repository import statements_of
from schemas.cose import sign1
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.kinds import Kind
from schemas.statements import org_key
from tests.exchange.world import World


def test_the_exchanges_own_record_is_the_first_leaf_and_signed_by_itself(world: World) -> None:
    with world.exchange.connection() as conn:
        first, *_ = statements_of(conn, indices=[0])
    statement = sign1.parse(first.raw)
    record = org_key.decode(statement.payload)

    sign1.verify(statement, PublicKey.from_cose_key(record.cose_key))
    assert (first.kind, record.role, record.name) == (Kind.ORG_KEY, "operator", "exchange")
    assert record.cose_key == world.exchange.signer.public.cose_key


def test_an_admitted_organisation_is_a_record_signed_by_the_exchange(world: World) -> None:
    acme = world.admit("acme", "carrier")
    with world.exchange.connection() as conn:
        committed = statements_of(conn, subject="acme")[0]
    statement = sign1.parse(committed.raw)

    sign1.verify(statement, world.exchange.signer.public)
    assert org_key.decode(statement.payload).cose_key == acme.signer.public.cose_key
    own = world.http.get("/v1/orgs/self", headers=acme.headers).json()
    assert (own["name"], own["role"]) == ("acme", "carrier")


def test_the_secret_is_kept_as_a_hash_alone(world: World) -> None:
    acme = world.admit("acme", "carrier")
    with world.exchange.connection() as conn:
        rows = conn.execute(
            "SELECT secret_hash FROM oauth_client WHERE client_id = %s", [acme.client_id]
        ).fetchall()

    assert rows == [(hashlib.sha256(acme.client_secret.encode()).digest(),)]


def test_admitting_again_with_the_same_key_repairs_a_lost_answer(world: World) -> None:
    signer = SoftwareSigner.generate()
    body = world.admission("acme", "carrier", signer)
    first = world.http.post("/v1/orgs", json=body, headers=world.operator.headers).json()
    again = world.http.post("/v1/orgs", json=body, headers=world.operator.headers).json()

    assert again["index"] == first["index"]
    assert again["client_secret"] != first["client_secret"]
    gone = world.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(first["client_id"], first["client_secret"]),
    )
    assert (gone.status_code, gone.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("changed", "status", "slug"),
    [
        ({"role": "insurer"}, 409, "already-admitted"),
        ({"key": "another"}, 409, "already-admitted"),
        ({"name": "acme-2"}, 409, "already-admitted"),
        ({"name": "exchange", "key": "another"}, 422, "not-admitted"),
        ({"name": "Acme", "key": "another"}, 422, "invalid-request"),
        ({"role": "operator"}, 422, "invalid-request"),
        ({"proof": "00" * 64, "name": "other", "key": "another"}, 422, "statement-refused"),
        ({"cose_key": "a0", "name": "other"}, 422, "statement-refused"),
    ],
)
def test_what_is_not_admitted(
    world: World, changed: dict[str, str], status: int, slug: str
) -> None:
    signer = SoftwareSigner.generate()
    body = world.admission("acme", "carrier", signer)
    world.http.post("/v1/orgs", json=body, headers=world.operator.headers).raise_for_status()
    if changed.get("key"):
        body = world.admission("acme", "carrier", SoftwareSigner.generate())
    body |= {name: value for name, value in changed.items() if name != "key"}
    answer = world.http.post("/v1/orgs", json=body, headers=world.operator.headers)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:haulproof:problem:{slug}"


def test_only_the_operator_admits(world: World) -> None:
    acme = world.admit("acme", "carrier")
    body = world.admission("other", "insurer", SoftwareSigner.generate())
    answer = world.http.post("/v1/orgs", json=body, headers=acme.headers)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:haulproof:problem:wrong-role")
