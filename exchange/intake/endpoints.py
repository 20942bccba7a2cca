"""What intake keeps aside of a carrier's devices, and its release."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.api.auth import Authenticated
from exchange.api.bodies import DeviceName, SignedBody, ms_of, time_of
from exchange.api.context import Context
from exchange.api.idempotency import IdempotencyKey, Once
from exchange.intake.release import release_statements
from exchange.intake.repository import Aside, list_aside
from exchange.signed_text import statement_bytes
from schemas.statements.org_key import Role

router = APIRouter(prefix="/v1", tags=["devices"])


class AsideItem(BaseModel):
    """A statement of a revoked key, whose bytes are kept."""

    digest: Annotated[str, Field(description="SHA-256 of the statement, hexadecimal.")]
    boot: str
    seq: int
    bytes: int
    first_at: str


class AsideList(BaseModel):
    """What of a device is kept aside, by boot and seq; more comes once these are released."""

    carrier: str
    device: str
    items: list[AsideItem]


class ReleasedItem(BaseModel):
    """A released statement and its log index."""

    digest: str
    index: int


class ReleaseAnswer(BaseModel):
    """The release's log index, and those of what it released."""

    carrier: str
    device: str
    index: int
    released: list[ReleasedItem]


@router.get("/devices/{device}/aside", summary="What is kept aside", response_model=AsideList)
def aside(exchange: Context, caller: Authenticated, device: DeviceName) -> AsideList:
    """Carrier only: statements that a revoked key of its device signed and the log lacks."""
    caller.require((Role.CARRIER,), "see what is kept aside")
    with exchange.connection() as conn:
        found = list_aside(conn, caller.organisation, device)
    return AsideList(
        carrier=caller.organisation, device=device, items=[_aside_item(one) for one in found]
    )


@router.post(
    "/devices/{device}/release",
    status_code=201,
    summary="Release what is kept aside",
    response_model=ReleaseAnswer,
)
def release(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    device: DeviceName,
    body: SignedBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only: all that the signed release names is committed, or nothing."""
    caller.require((Role.CARRIER,), "release what is kept aside")
    raw = statement_bytes(body.statement)

    def act(conn: Connection[Any]) -> ReleaseAnswer:
        done = release_statements(
            conn,
            raw,
            carrier=caller.organisation,
            device=device,
            origin=exchange.origin,
            now=datetime.fromtimestamp(exchange.now_ms() / 1_000, UTC),
        )
        items = [
            ReleasedItem(digest=digest.hex(), index=index)
            for digest, index in sorted(done.statements.items(), key=lambda item: item[1])
        ]
        return ReleaseAnswer(
            carrier=caller.organisation, device=device, index=done.index, released=items
        )

    return Once(caller, request.url.path, key, body).answer(exchange, act)


def _aside_item(one: Aside) -> AsideItem:
    return AsideItem(
        digest=one.digest.hex(),
        boot=one.boot.hex(),
        seq=one.seq,
        bytes=one.size_bytes,
        first_at=time_of(ms_of(one.first_at)),
    )
