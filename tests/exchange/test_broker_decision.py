"""Whom the broker admits, without a broker."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.broker_decision import (
    Cause,
    NotAdmitted,
    asked_by,
    check_password,
    device_named,
    login_in,
    response_claims,
    user_claims,
)

SERVER = "N" * 56
USER = "U" * 56


def request(**changed: Any) -> dict[str, Any]:
    nats: dict[str, Any] = {
        "server_id": {"id": SERVER},
        "user_nkey": USER,
        "client_info": {"type": "mqtt", "mqtt_id": "acme/dev-1"},
        "connect_opts": {"user": "acme/dev-1", "pass": "secret"},
    }
    return {"nats": nats | changed}


def cause_of(claims: object) -> Cause:
    with pytest.raises(NotAdmitted) as refused:
        device_named(login_in(claims))
    return refused.value.cause


def test_a_device_names_itself_by_username_and_client_id() -> None:
    device = device_named(login_in(request()))
    assert (device.carrier, device.device) == ("acme", "dev-1")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"client_info": {"type": "nats"}}, Cause.NOT_MQTT),
        ({"connect_opts": {"user": "acme", "pass": "x"}}, Cause.NO_DEVICE_NAME),
        ({"connect_opts": {"user": "acme/*", "pass": "x"}}, Cause.NO_DEVICE_NAME),
        ({"connect_opts": {"user": "acme/a/b", "pass": "x"}}, Cause.NO_DEVICE_NAME),
        ({"connect_opts": {"pass": "x"}}, Cause.NO_DEVICE_NAME),
        ({"client_info": {"type": "mqtt", "mqtt_id": "acme/dev-2"}}, Cause.WRONG_CLIENT_ID),
        ({"connect_opts": {"user": "acme/dev-1", "pass": "x" * 257}}, Cause.MALFORMED),
        ({"connect_opts": {"user": "acme/dev-1", "pass": "\ud800"}}, Cause.MALFORMED),
        ({"connect_opts": {"user": ["acme/dev-1"], "pass": "x"}}, Cause.MALFORMED),
        ({"connect_opts": None}, Cause.MALFORMED),
    ],
)
def test_a_login_that_names_no_device_is_refused(changed: dict[str, Any], cause: Cause) -> None:
    assert cause_of(request(**changed)) is cause


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_arrives_is_judged_and_never_raises_anything_else(claims: object) -> None:
    for read in (asked_by, login_in):
        with pytest.raises(NotAdmitted) as refused:
            read(claims)
        assert refused.value.cause is Cause.MALFORMED


def test_a_request_that_names_no_server_has_nobody_to_answer() -> None:
    with pytest.raises(NotAdmitted):
        asked_by(request(server_id={"id": "N"}))


def test_the_right_password_passes_and_every_other_is_refused() -> None:
    login = login_in(request())
    check_password(login, hashlib.sha256(b"secret").digest())
    for held in (hashlib.sha256(b"other").digest(), None):
        with pytest.raises(NotAdmitted) as refused:
            check_password(login, held)
        assert refused.value.cause is Cause.WRONG_PASSWORD


def test_a_password_is_in_no_representation() -> None:
    assert "secret" not in repr(login_in(request()))


def test_a_device_may_use_its_own_topics_only() -> None:
    asked = asked_by(request())
    device = device_named(login_in(request()))
    claims = user_claims(asked, device, issuer="A", account="HP", now_s=1_000)
    assert claims["sub"] == USER
    assert claims["exp"] == 1_000 + 86_400
    assert claims["nats"]["pub"] == {"allow": ["hp.v1.acme.dev-1.seg"]}
    assert claims["nats"]["sub"]["allow"] == [
        "hp.v1.acme.dev-1.ack",
        "hp.v1.acme.dev-1.ref",
        "hp.v1.acme.dev-1.cfg",
        "$MQTT.sub.>",
        "$MQTT.deliver.>",
    ]
    assert claims["nats"]["allowed_connection_types"] == ["MQTT"]


def test_an_answer_goes_to_the_server_that_asked() -> None:
    claims = response_claims(asked_by(request()), issuer="A", now_s=1, error="wrong-password")
    assert claims["aud"] == SERVER
    assert claims["nats"]["error"] == "wrong-password"
