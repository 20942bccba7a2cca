"""The API as a command uses it: a token, requests that are tried again, errors as sentences."""

import json
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from exchange.commands.credentials import Credentials
from exchange.exits import CommandStopped, EnvironmentUnfit

_TIMEOUT_S = 30
_ATTEMPTS = 4


class Refused(CommandStopped):
    """The exchange answered no; the text is its own (exit 1)."""

    def __init__(self, detail: str, problem: str) -> None:
        super().__init__(detail)
        self.problem = problem


class _Busy(Exception):
    """The exchange asks to come again."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    json: dict[str, Any] | None = None
    params: dict[str, str] | None = None
    data: dict[str, str] | None = None
    auth: tuple[str, str] | None = None


class Api:
    """One exchange, as one client of it."""

    def __init__(self, credentials: Credentials) -> None:
        # A command says one sentence at its end, not one at each attempt.
        stamina.instrumentation.set_on_retry_hooks(())
        self._credentials = credentials
        self._http = httpx.Client(base_url=credentials.api, timeout=_TIMEOUT_S)
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: str | None) -> dict[str, Any]:
        """The JSON object at a path; ``Refused`` or ``EnvironmentUnfit``."""
        return _object(self._send(_Request("GET", path, self._bearer(), params=_given(params))))

    def get_bytes(self, path: str, **params: str | None) -> bytes:
        """The bytes at a path; ``Refused`` or ``EnvironmentUnfit``."""
        return self._send(_Request("GET", path, self._bearer(), params=_given(params))).content

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post once, however often the network needs; ``Refused`` or ``EnvironmentUnfit``."""
        headers = {**self._bearer(), "Idempotency-Key": secrets.token_hex(16)}
        return _object(self._send(_Request("POST", path, headers, json=body)))

    def _bearer(self) -> dict[str, str]:
        if self._token is None:
            request = _Request(
                "POST",
                "/oauth/token",
                {},
                data={"grant_type": "client_credentials"},
                auth=(self._credentials.client_id, self._credentials.client_secret),
            )
            self._token = str(_object(self._send(request))["access_token"])
        return {"Authorization": f"Bearer {self._token}"}

    def _send(self, request: _Request) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, _Busy), attempts=_ATTEMPTS, wait_max=1.0
            ):
                with attempt:
                    response = self._once(request)
        except _Busy:
            raise EnvironmentUnfit(
                f"the exchange at {self._credentials.api} is busy or its database is away: "
                "try again in a moment"
            ) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise EnvironmentUnfit(
                f"no exchange answers at {self._credentials.api}: start it with haulproof up, or "
                "check the address in the credentials"
            ) from None
        if response.is_error:
            raise _refusal(response)
        return response

    def _once(self, request: _Request) -> httpx.Response:
        response = self._http.request(
            request.method,
            request.path,
            headers=request.headers,
            json=request.json,
            params=request.params,
            data=request.data,
            auth=request.auth or httpx.USE_CLIENT_DEFAULT,
        )
        if response.status_code in (429, 503):
            raise _Busy
        return response


def _given(params: dict[str, str | None]) -> dict[str, str]:
    return {name.rstrip("_"): value for name, value in params.items() if value is not None}


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EnvironmentUnfit(
            f"{response.url.host}:{response.url.port} answers, but is no exchange: "
            "check the address in the credentials"
        )
    return found


def _refusal(response: httpx.Response) -> Refused:
    try:
        found = json.loads(response.content)
    except ValueError:
        found = {}
    said = found if isinstance(found, dict) else {}
    problem = str(said.get("type") or said.get("error") or response.status_code).rpartition(":")[2]
    detail = said.get("detail") or said.get("error_description") or response.reason_phrase
    parts = [f"{part['pointer']}: {part['detail']}" for part in said.get("errors") or ()]
    return Refused(" ".join([f"{detail} ({problem})", *parts]), problem)
