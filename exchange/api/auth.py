"""Who calls: OAuth 2 client credentials (RFC 6749 section 4.4) and bearer tokens."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Depends, FastAPI, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.responses import JSONResponse, Response
from fastapi.security import OAuth2
from pydantic import BaseModel

from exchange.api.context import Context
from exchange.api.quota import note_standing
from exchange.api.tokens import LIFETIME_S, TokenRefused
from exchange.one_time_secrets import secret_matches
from exchange.orgs.model import Caller
from exchange.orgs.repository import caller_of, client_secret_hash

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_FORM = "application/x-www-form-urlencoded"
_FORM_FIELDS_MAX = 16

router = APIRouter(tags=["authentication"])

_scheme = OAuth2(
    flows=OAuthFlows(clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH, scopes={})),
    scheme_name="client-credentials",
    auto_error=False,
)


class TokenAnswer(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a type
    expires_in: int = LIFETIME_S


class OAuthError(Exception):
    """RFC 6749 section 5.2: what an OAuth client library reads."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client presents at the token endpoint."""

    client_id: str
    client_secret: str


async def _credentials(request: Request) -> ClientCredentials:
    """Read HTTP Basic or the form, never both; ``OAuthError`` for anything else."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise OAuthError(400, "invalid_request", f"Send the request as {_FORM}.")
    form = _form(await request.body())
    if form.get("grant_type") != "client_credentials":
        raise OAuthError(400, "unsupported_grant_type", "Use grant_type=client_credentials.")
    authorization = request.headers.get("authorization")
    if authorization is None:
        return _complete(form.get("client_id"), form.get("client_secret"))
    if "client_secret" in form:
        raise OAuthError(400, "invalid_request", "Send the secret once: Basic or in the form.")
    return _basic(authorization)


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(
            body.decode("ascii"), strict_parsing=True, max_num_fields=_FORM_FIELDS_MAX
        )
    except (UnicodeDecodeError, ValueError):
        raise OAuthError(400, "invalid_request", "The form cannot be read.") from None
    if any(len(values) > 1 for values in fields.values()):
        raise OAuthError(400, "invalid_request", "A field of the form comes twice.")
    return {name: values[0] for name, values in fields.items()}


def _basic(authorization: str) -> ClientCredentials:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError(401, "invalid_client", "Authenticate the client with HTTP Basic.")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError(401, "invalid_client", "The Basic credentials cannot be read.") from None
    client_id, _, secret = text.partition(":")
    return _complete(unquote_plus(client_id), unquote_plus(secret))


def _complete(client_id: str | None, secret: str | None) -> ClientCredentials:
    if not client_id or not secret or "\x00" in client_id:
        raise OAuthError(401, "invalid_client", "Send client_id and client_secret.")
    return ClientCredentials(client_id, secret)


@router.post(
    TOKEN_PATH,
    summary="Get an access token",
    response_model=TokenAnswer,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                _FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"type": "string", "const": "client_credentials"},
                            "client_id": {"type": "string"},
                            "client_secret": {"type": "string"},
                        },
                    }
                }
            },
        }
    },
)
def token(
    request: Request,
    exchange: Context,
    credentials: Annotated[ClientCredentials, Depends(_credentials)],
) -> JSONResponse:
    """Client credentials by HTTP Basic or in the form (RFC 6749 section 4.4)."""
    address = "" if request.client is None else request.client.host
    note_standing(request.state, exchange.quota.take(f"address {address}", exchange.monotonic_s()))
    with exchange.connection() as conn:
        expected = client_secret_hash(conn, credentials.client_id)
    if not secret_matches(credentials.client_secret, expected or bytes(32)) or expected is None:
        raise OAuthError(
            401, "invalid_client", "Unknown client or wrong secret: check client_id and secret."
        )
    answer = TokenAnswer(access_token=exchange.tokens.issue(credentials.client_id))
    return JSONResponse(answer.model_dump(), headers={"Cache-Control": "no-store"})


def _authenticated(
    request: Request,
    exchange: Context,
    authorization: Annotated[str | None, Security(_scheme)],
) -> Caller:
    scheme, _, presented = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise TokenRefused(f"Send an access token of {TOKEN_PATH} as Authorization: Bearer.")
    client_id = exchange.tokens.client_of(presented.strip())
    note_standing(request.state, exchange.quota.take(client_id, exchange.monotonic_s()))
    with exchange.connection() as conn:
        caller = caller_of(conn, client_id)
    if caller is None:
        raise TokenRefused("This client no longer exists: ask the operator for new credentials.")
    return caller


Authenticated = Annotated[Caller, Depends(_authenticated)]


def _on_oauth_error(request: Request, error: Exception) -> Response:
    error = cast(OAuthError, error)
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="haulproof"'
    body: dict[str, Any] = {"error": error.code, "error_description": error.description}
    return JSONResponse(body, status_code=error.status, headers=headers)


def install(app: FastAPI) -> None:
    """The token endpoint, with its errors in OAuth's own form."""
    app.include_router(router)
    app.add_exception_handler(OAuthError, _on_oauth_error)
