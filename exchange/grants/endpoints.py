"""/v1/grants: a carrier's grants, seen by both sides."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.api.auth import Authenticated
from exchange.api.bodies import SignedBody, time_of
from exchange.api.context import Context
from exchange.api.idempotency import IdempotencyKey, Once
from exchange.api.pagination import ITEMS_DEFAULT, Cursor, Limit, cursor_at, index_of
from exchange.grants.acceptance import accept_grant, accept_revocation
from exchange.grants.model import GrantRow, State
from exchange.grants.repository import grants_of
from exchange.signed_text import statement_bytes
from schemas.statements.grant import Precision
from schemas.statements.org_key import Role

router = APIRouter(prefix="/v1", tags=["grants"])

_PRECISION = {Precision.NONE: "none", Precision.H3_CELL: "cell", Precision.EXACT: "exact"}

GrantId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{64}$", description="The grant's statement digest, hexadecimal.")
]


class GrantItem(BaseModel):
    """A grant as it stands. Times are UTC."""

    id: Annotated[str, Field(description="SHA-256 of the signed grant, hexadecimal.")]
    index: int
    carrier: str
    grantee: str
    purpose: str
    legal_basis: str
    vehicles: list[str]
    fields: list[str] | None
    precision: str
    identity: bool
    window_from: str
    window_to: str | None
    expires_at: str
    state: State
    revoked_at: str | None


class GrantList(BaseModel):
    """Grants by ascending log index; no ``next_cursor``: that was the last one."""

    items: list[GrantItem]
    next_cursor: str | None


@router.post("/grants", status_code=201, summary="Give a grant", response_model=GrantItem)
def give(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    body: SignedBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only: a grant that it signed on its own machine."""
    caller.require((Role.CARRIER,), "give grants")
    raw = statement_bytes(body.statement)

    def act(conn: Connection[Any]) -> GrantItem:
        now_ms = exchange.now_ms()
        row = accept_grant(
            conn, raw, carrier=caller.organisation, origin=exchange.origin, now_ms=now_ms
        )
        return _item(row, now_ms)

    return Once(caller, request.url.path, key, body).answer(exchange, act)


@router.post("/grants/{id}/revocation", status_code=201, summary="Revoke", response_model=GrantItem)
def revoke(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    id: GrantId,  # noqa: A002 - the name of the path's part
    body: SignedBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only: a revocation that it signed. In force for every read that starts after this."""
    caller.require((Role.CARRIER,), "revoke grants")
    raw = statement_bytes(body.statement)

    def act(conn: Connection[Any]) -> GrantItem:
        row = accept_revocation(
            conn,
            bytes.fromhex(id),
            raw,
            carrier=caller.organisation,
            origin=exchange.origin,
        )
        return _item(row, exchange.now_ms())

    return Once(caller, request.url.path, key, body).answer(exchange, act)


@router.get("/grants", summary="Grants given and received", response_model=GrantList)
def grants(
    exchange: Context, caller: Authenticated, cursor: Cursor = None, limit: Limit = ITEMS_DEFAULT
) -> GrantList:
    """Both sides see theirs, ended ones too."""
    with exchange.connection() as conn:
        rows = grants_of(conn, caller.organisation, index_of(cursor), limit + 1)
    now_ms = exchange.now_ms()
    more = cursor_at(rows[limit].index) if len(rows) > limit else None
    return GrantList(items=[_item(row, now_ms) for row in rows[:limit]], next_cursor=more)


def _item(row: GrantRow, now_ms: int) -> GrantItem:
    return GrantItem(
        id=row.digest.hex(),
        index=row.index,
        carrier=row.carrier,
        grantee=row.grantee,
        purpose=row.purpose,
        legal_basis=row.legal_basis,
        vehicles=row.vehicles,
        fields=row.fields,
        precision=_PRECISION[Precision(row.precision)],
        identity=row.identity,
        window_from=time_of(row.window_from_ms),
        window_to=None if row.window_to_ms is None else time_of(row.window_to_ms),
        expires_at=time_of(row.expires_ms),
        state=row.state(now_ms),
        revoked_at=None if row.revoked_ms is None else time_of(row.revoked_ms),
    )
