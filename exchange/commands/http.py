"""The API as a command uses it: a token, requests that are tried again, errors as sentences."""

import json
import secrets
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from exchange.commands.credentials import Credentials
from exchange.commands.steps import Steps
from exchange.exits import CommandStopped, EnvironmentUnfit, WrongUsage

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
        try:
            self._http = httpx.Client(base_url=credentials.api, timeout=_TIMEOUT_S)
        except httpx.InvalidURL:
            raise WrongUsage(
                f"{credentials.api} is no address of an exchange: take the one that haulproof up "
                "printed"
            ) from None
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

    def get_public(self, path: str, **params: str | None) -> bytes:
        """The bytes at a path that asks for no token; ``Refused`` or ``EnvironmentUnfit``."""
        return self._send(_Request("GET", path, {}, params=_given(params))).content

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
        with Steps(_tell) as steps:
            steps.step(f"waiting for the exchange at {self._credentials.api}")
            response = self._answer(request)
        if response.is_error:
            raise _refusal(response)
        return response

    def _answer(self, request: _Request) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, _Busy), attempts=_ATTEMPTS, wait_max=1.0, wait_jitter=0.2
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
        raise _no_exchange(response)
    return found


def _refusal(response: httpx.Response) -> CommandStopped:
    """What an exchange refused, in its words: a problem (RFC 9457) or OAuth's error."""
    try:
        said = json.loads(response.content)
        problem = str(said.get("type") or said["error"]).rpartition(":")[2]
        detail = said.get("detail") or said["error_description"]
        parts = [f"{part['pointer']}: {part['detail']}" for part in said.get("errors") or ()]
    except (ValueError, LookupError, AttributeError, TypeError):
        return _no_exchange(response)
    return Refused(" ".join([f"{detail} ({problem})", *parts]), problem)


def _no_exchange(response: httpx.Response) -> EnvironmentUnfit:
    return EnvironmentUnfit(
        f"{response.url.host}:{response.url.port} answers, but is no exchange: "
        "check the address in the credentials"
    )


def _tell(text: str) -> None:
    print(f"haulproof: {text}", file=sys.stderr, flush=True)
