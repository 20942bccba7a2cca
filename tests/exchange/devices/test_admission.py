"""A carrier admits devices; every way in which the statements can be wrong is refused."""

import hashlib

import pytest

from exchange.devices.repository import bindings_of_device, device_keys, mqtt_secret_hash
from exchange.transparency.repository import key_epoch
from schemas.cose.keys import SoftwareSigner
from tests.exchange.world import Organisation, World


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


def test_an_admitted_device_is_known_by_key_binding_and_password(
    world: World, acme: Organisation
) -> None:
    signer = SoftwareSigner.generate()
    with world.exchange.connection() as conn:
        epoch = key_epoch(conn)
    statements = world.device_statements(acme, "dev-1", "v-1", signer)
    enrolment = world.http.post(
        "/v1/devices", json={"statements": statements}, headers=acme.headers
    ).json()

    with world.exchange.connection() as conn:
        [row] = device_keys(conn, [("acme", "dev-1"), ("acme", "dev-2")])["acme", "dev-1"]
        [binding] = bindings_of_device(conn, "acme", "dev-1")
        held = mqtt_secret_hash(conn, "acme", "dev-1")
        assert key_epoch(conn) > epoch
    assert row.thumbprint == signer.public.thumbprint
    assert (binding.vehicle, binding.from_ms, binding.to_ms) == ("v-1", 0, None)
    assert held == hashlib.sha256(enrolment["mqtt_password"].encode()).digest()
    assert enrolment["mqtt_username"] == "acme/dev-1"
    assert enrolment["log_origin"] == world.origin
    assert enrolment["exchange_keys"] == [world.exchange.signer.public.cose_key.hex()]


def test_admitting_again_gives_a_new_password_and_no_new_record(
    world: World, acme: Organisation
) -> None:
    signer = SoftwareSigner.generate()
    answers = [
        world.http.post(
            "/v1/devices",
            json={"statements": world.device_statements(acme, "dev-1", "v-1", signer)},
            headers=acme.headers,
        ).json()
        for _ in range(2)
    ]

    assert answers[0]["mqtt_password"] != answers[1]["mqtt_password"]
    for name in ("device_key_index", "binding_index"):
        assert answers[0][name] == answers[1][name]


@pytest.mark.parametrize(
    ("device", "vehicle", "same_key"),
    [("dev-2", "v-1", True), ("dev-1", "v-1", False), ("dev-1", "v-2", True)],
    ids=["a key of another device", "another key for the device", "another vehicle meanwhile"],
)
def test_a_key_a_name_and_a_vehicle_belong_together(
    world: World, acme: Organisation, device: str, vehicle: str, same_key: bool
) -> None:
    signer = SoftwareSigner.generate()
    first = {"statements": world.device_statements(acme, "dev-1", "v-1", signer)}
    world.http.post("/v1/devices", json=first, headers=acme.headers).raise_for_status()
    key = signer if same_key else SoftwareSigner.generate()
    body = {"statements": world.device_statements(acme, device, vehicle, key)}
    answer = world.http.post("/v1/devices", json=body, headers=acme.headers)

    assert answer.status_code == 409, answer.text
    assert answer.json()["type"] == "urn:haulproof:problem:already-admitted"


def test_a_key_belongs_to_one_device_even_of_another_carrier(
    world: World, acme: Organisation
) -> None:
    rival = world.admit("rival", "carrier")
    signer = SoftwareSigner.generate()
    for carrier, status in ((acme, 201), (rival, 409)):
        body = {"statements": world.device_statements(carrier, "dev-1", "v-1", signer)}
        answer = world.http.post("/v1/devices", json=body, headers=carrier.headers)
        assert answer.status_code == status


def test_statements_that_another_signed_for_another_log_or_of_another_kind_are_refused(
    world: World, acme: Organisation
) -> None:
    rival = world.admit("rival", "carrier")
    signer = SoftwareSigner.generate()
    good = world.device_statements(acme, "dev-1", "v-1", signer)
    wrong = {
        "unknown-key": world.device_statements(
            acme, "dev-1", "v-1", signer, by=SoftwareSigner.generate()
        ),
        "unknown-issuer": world.device_statements(rival, "dev-1", "v-1", signer),
        "wrong-origin": world.device_statements(
            acme, "dev-1", "v-1", signer, origin="example.org/other"
        ),
        "wrong-type": {"device_key": good["binding"], "binding": good["device_key"]},
        "malformed": {**good, "binding": "AAAA"},
    }
    for reason, statements in wrong.items():
        answer = world.http.post(
            "/v1/devices", json={"statements": statements}, headers=acme.headers
        )
        assert (answer.status_code, answer.json().get("reason")) == (422, reason), answer.text
    with world.exchange.connection() as conn:
        assert device_keys(conn, [("acme", "dev-1"), ("rival", "dev-1")]) == {}


def test_a_proof_of_possession_for_another_name_is_refused(
    world: World, acme: Organisation
) -> None:
    signer = SoftwareSigner.generate()
    stolen = world.device_statements(acme, "dev-1", "v-1", signer)
    renamed = world.device_statements(acme, "dev-2", "v-1", signer)
    body = {"statements": {"device_key": renamed["device_key"], "binding": stolen["binding"]}}
    answer = world.http.post("/v1/devices", json=body, headers=acme.headers)

    assert (answer.status_code, answer.json()["reason"]) == (422, "malformed")


def test_only_a_carrier_admits_devices(world: World, acme: Organisation) -> None:
    insurer = world.admit("insurer-x", "insurer")
    body = {
        "statements": world.device_statements(insurer, "dev-1", "v-1", SoftwareSigner.generate())
    }
    for caller in (insurer, world.operator):
        answer = world.http.post("/v1/devices", json=body, headers=caller.headers)
        assert answer.status_code == 403
