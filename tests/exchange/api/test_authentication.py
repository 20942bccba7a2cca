"""Client credentials and access tokens: what is accepted, and that all else is refused."""

import base64
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwk, jwt

from exchange.api.tokens import LIFETIME_S, TokenRefused, Tokens
from exchange.one_time_secrets import AnswerSeal, new_secret, secret_hash, secret_matches
from tests.exchange.api.conftest import Settled

GRANT = {"grant_type": "client_credentials"}


def pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_basic_and_form_credentials_get_a_token(settled: Settled) -> None:
    acme, http = settled.acme, settled.world.http
    form = {**GRANT, "client_id": acme.client_id, "client_secret": acme.client_secret}
    by_basic = http.post("/oauth/token", data=GRANT, auth=(acme.client_id, acme.client_secret))
    by_form = http.post("/oauth/token", data=form)

    for answer in (by_basic, by_form):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", LIFETIME_S)
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert http.get("/v1/orgs/self", headers=bearer).json()["name"] == "acme"


@pytest.mark.parametrize(
    ("form", "authorization", "status", "error"),
    [
        (GRANT, None, 401, "invalid_client"),
        ({**GRANT, "client_id": "operator", "client_secret": "guess"}, None, 401, "invalid_client"),
        ({**GRANT, "client_id": "nobody", "client_secret": "x"}, None, 401, "invalid_client"),
        ({**GRANT, "client_id": "a\x00b", "client_secret": "x"}, None, 401, "invalid_client"),
        (GRANT, "Basic not-base64!", 401, "invalid_client"),
        (GRANT, "Bearer abc", 401, "invalid_client"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({**GRANT, "client_secret": "x"}, "Basic YTpi", 400, "invalid_request"),
        ({}, None, 400, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_are_refused_in_oauths_own_words(
    settled: Settled, form: dict[str, str], authorization: str | None, status: int, error: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if authorization:
        headers["Authorization"] = authorization
    answer = settled.world.http.post("/oauth/token", data=form, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_credentials_as_json_are_no_form(settled: Settled) -> None:
    assert settled.world.http.post("/oauth/token", json=GRANT).json()["error"] == "invalid_request"


def test_a_basic_scheme_is_no_bearer_token(settled: Settled) -> None:
    encoded = base64.b64encode(b"operator:x").decode()
    answer = settled.world.http.get("/v1/feed", headers={"Authorization": f"Basic {encoded}"})

    assert answer.status_code == 401


def test_a_token_ends_with_its_lifetime_and_is_for_one_exchange() -> None:
    key = pem()
    now = [1_000]
    tokens = Tokens.from_pem(key, "example.org/log", lambda: now[0])
    token = tokens.issue("acme-1")

    assert tokens.client_of(token) == "acme-1"
    with pytest.raises(TokenRefused):
        Tokens.from_pem(key, "example.org/other", lambda: now[0]).client_of(token)
    with pytest.raises(TokenRefused):
        Tokens.from_pem(pem(), "example.org/log", lambda: now[0]).client_of(token)
    now[0] += LIFETIME_S + 6
    with pytest.raises(TokenRefused):
        tokens.client_of(token)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "JWT"}, {}),
        ({"alg": "none"}, {}),
        ({"alg": "HS256"}, {}),
        ({}, {"aud": "example.org/log/v2"}),
        ({}, {"iss": "example.org/other"}),
        ({}, {"exp": None}),
        ({}, {"exp": "soon"}),
        ({}, {"sub": None}),
    ],
)
def test_a_token_that_differs_anywhere_is_refused(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    key = pem()
    tokens = Tokens.from_pem(key, "example.org/log", lambda: 1_000)
    good = {"iss": "example.org/log", "aud": "example.org/log/v1", "sub": "acme-1", "exp": 1_100}
    changed = {name: value for name, value in {**good, **claims}.items() if value is not None}
    head = {"alg": "ES256", "typ": "at+jwt", **header}
    signing: Any = jwk.ECKey.import_key(key)
    if head["alg"] == "HS256":
        signing = jwk.OctKey.import_key(tokens.key.as_pem(private=False).hex())
    if head["alg"] == "none":
        _, body, _ = jwt.encode({**head, "alg": "ES256"}, changed, signing).split(".")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
        token = f"{unsigned}.{body}."
    else:
        token = jwt.encode(head, changed, signing, algorithms=[head["alg"]])

    with pytest.raises(TokenRefused):
        tokens.client_of(token)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "ey.ey.ey", "\x00", "é.é.é", "." * 10_000])
def test_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenRefused):
        Tokens.from_pem(pem(), "example.org/log", lambda: 1_000).client_of(token)


def test_secrets_are_long_and_only_the_same_one_matches() -> None:
    first, second = new_secret(), new_secret()

    assert len(base64.urlsafe_b64decode(first + "=")) == 32
    assert secret_matches(first, secret_hash(first))
    assert not secret_matches(second, secret_hash(first))


def test_a_sealed_answer_opens_in_its_own_context_alone() -> None:
    seal = AnswerSeal(b"key material")
    sealed = seal.seal(b"client_secret", b"acme /v1/orgs k1")

    assert b"client_secret" not in sealed
    assert seal.open(sealed, b"acme /v1/orgs k1") == b"client_secret"
    for other, context in ((seal, b"acme /v1/orgs k2"), (AnswerSeal(b"x"), b"acme /v1/orgs k1")):
        with pytest.raises(InvalidTag):
            other.open(sealed, context)
