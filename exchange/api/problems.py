"""RFC 9457 problems: the one table from what the exchange refuses to what HTTP says.

A problem's ``type`` is stable: clients branch on it, people read ``detail``.
"""

import logging
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg import OperationalError
from psycopg_pool import PoolClosed, PoolTimeout
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from exchange.access.model import GrantExpired, GrantRevoked, NoGrant, NotSupported, OutsideWindow
from exchange.api.idempotency import KeyReused
from exchange.api.pagination import CursorRefused
from exchange.api.quota import OverQuota
from exchange.api.tokens import TokenRefused
from exchange.devices.model import DeviceConflict, DeviceNotFound
from exchange.errors import ExchangeRefusal
from exchange.grants.model import GrantNotFound, GrantRefused
from exchange.intake.release import KeysChanging, ReleaseRefused
from exchange.orgs.model import (
    OrganisationConflict,
    OrganisationNotFound,
    OrganisationRefused,
    WrongRole,
)
from exchange.segments.refusals import AmbiguousVehicle, NothingThere, RangeTooLarge
from exchange.transparency.leaf_lookup import LookupBehind
from exchange.transparency.newest import NothingPublished, NotInLog
from exchange.transparency.proofs import NoReceipt
from schemas.errors import StatementRefused

TYPE_PREFIX = "urn:haulproof:problem:"
MEDIA_TYPE = "application/problem+json"
BUSY_RETRY_S = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A cause: the end of its ``type``, its status and its title."""

    slug: str
    status: int
    title: str


REFUSALS: dict[type[ExchangeRefusal], Problem] = {
    TokenRefused: Problem("unauthenticated", 401, "No valid access token"),
    WrongRole: Problem("wrong-role", 403, "This organisation may not do that"),
    NoGrant: Problem("no-grant", 403, "No grant opens this"),
    GrantExpired: Problem("grant-expired", 403, "The grant has expired"),
    GrantRevoked: Problem("grant-revoked", 403, "The grant has been revoked"),
    OutsideWindow: Problem("outside-window", 403, "Outside the grant's time window"),
    NotSupported: Problem("not-supported", 403, "The grant does not support this form"),
    DeviceNotFound: Problem("not-found", 404, "Not found"),
    GrantNotFound: Problem("not-found", 404, "Not found"),
    NotInLog: Problem("not-found", 404, "Not found"),
    OrganisationNotFound: Problem("not-found", 404, "Not found"),
    NothingThere: Problem("not-found", 404, "Not found"),
    OrganisationConflict: Problem("already-admitted", 409, "Already admitted otherwise"),
    DeviceConflict: Problem("already-admitted", 409, "Already admitted otherwise"),
    OrganisationRefused: Problem("not-admitted", 422, "Not admitted"),
    GrantRefused: Problem("grant-not-accepted", 422, "The grant is not accepted"),
    ReleaseRefused: Problem("not-released", 422, "The release is not accepted"),
    AmbiguousVehicle: Problem("ambiguous-vehicle", 422, "More than one carrier has this vehicle"),
    RangeTooLarge: Problem("range-too-large", 422, "Too much for one answer"),
    NoReceipt: Problem("no-receipt", 422, "A receipt can't say this"),
    CursorRefused: Problem("invalid-request", 422, "The request is not valid"),
    KeyReused: Problem("idempotency-key-reused", 422, "Idempotency-Key used for another request"),
    OverQuota: Problem("over-quota", 429, "Too many requests"),
    LookupBehind: Problem("busy", 503, "Not ready yet"),
    KeysChanging: Problem("busy", 503, "Not ready yet"),
    NothingPublished: Problem("busy", 503, "Not ready yet"),
}

STATEMENT_REFUSED = Problem("statement-refused", 422, "The signed statement is refused")
INVALID_REQUEST = Problem("invalid-request", 422, "The request is not valid")
BUSY = Problem("busy", 503, "The exchange is busy or its database is away")
INTERNAL = Problem("internal", 500, "The exchange made a mistake")
OF_STATUS = {
    404: Problem("not-found", 404, "Not found"),
    405: Problem("method-not-allowed", 405, "Method not allowed"),
    413: Problem("body-too-large", 413, "The body is too large"),
}


class InvalidPart(BaseModel):
    """One thing that is wrong with a request; ``pointer`` says where (RFC 6901)."""

    detail: str
    pointer: str


class ProblemDetails(BaseModel):
    """Body of every error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    reason: str | None = None
    errors: list[InvalidPart] | None = None


def answer(
    problem: Problem,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """The problem as a response."""
    body = ProblemDetails(
        type=TYPE_PREFIX + problem.slug,
        title=problem.title,
        status=problem.status,
        detail=detail,
        **members,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def problem_of(refusal: ExchangeRefusal) -> Problem:
    """The table's row for a refusal; ``KeyError`` when nobody gave its class one."""
    return next(REFUSALS[kind] for kind in type(refusal).__mro__ if kind in REFUSALS)


def _headers_of(refusal: ExchangeRefusal, problem: Problem) -> dict[str, str] | None:
    if problem.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="haulproof"'}
    if isinstance(refusal, OverQuota):
        return {"Retry-After": str(refusal.retry_after_s)}
    if isinstance(refusal, NotInLog):
        return {"Cache-Control": "no-store"}  # a later checkpoint may cover it in a moment
    if problem.status == 503:
        return {"Retry-After": str(BUSY_RETRY_S)}
    return None


def _on_refusal(request: Request, error: Exception) -> Response:
    error = cast(ExchangeRefusal, error)
    problem = problem_of(error)
    return answer(problem, error.detail, headers=_headers_of(error, problem))


def _on_statement(request: Request, error: Exception) -> Response:
    error = cast(StatementRefused, error)
    return answer(STATEMENT_REFUSED, error.detail, reason=str(error.reason))


def _on_invalid(request: Request, error: Exception) -> Response:
    error = cast(RequestValidationError, error)
    parts = [
        InvalidPart(
            detail=str(found["msg"]),
            pointer="/" + "/".join(str(step) for step in found["loc"]),
        )
        for found in error.errors()
    ]
    return answer(INVALID_REQUEST, "Correct the parts that are named in errors.", errors=parts)


def _on_http(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    problem = OF_STATUS.get(error.status_code) or Problem(
        "invalid-request", error.status_code, "The request is not valid"
    )
    return answer(problem, str(error.detail), headers=dict(error.headers or {}))


def _on_busy(request: Request, error: Exception) -> Response:
    log.warning("database away: %s", error)
    return answer(BUSY, "Try again in a moment.", headers={"Retry-After": str(BUSY_RETRY_S)})


def _on_mistake(request: Request, error: Exception) -> Response:
    return answer(INTERNAL, "The mistake has been logged; the request may be tried again.")


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(ExchangeRefusal, _on_refusal)
    app.add_exception_handler(StatementRefused, _on_statement)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for away in (OperationalError, PoolTimeout, PoolClosed):
        app.add_exception_handler(away, _on_busy)
    app.add_exception_handler(Exception, _on_mistake)
