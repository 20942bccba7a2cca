"""GET /v1/feed: what is new for the caller, by polling."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from exchange.access.feed import FeedRow, feed_page, reads_of
from exchange.access.repository import record_reads
from exchange.api.auth import Authenticated
from exchange.api.bodies import time_of
from exchange.api.context import Context
from exchange.api.pagination import ITEMS_DEFAULT, Cursor, Limit, cursor_at, index_of
from exchange.transparency.newest import newest
from schemas.kinds import Kind

router = APIRouter(prefix="/v1", tags=["feed"])

FeedKind = Literal["segment", "gap", "trip"]
_KINDS: dict[Kind, FeedKind] = {Kind.SEGMENT: "segment", Kind.GAP: "gap", Kind.TRIP: "trip"}


class FeedItem(BaseModel):
    """A committed record; ``id`` is a trip's id, or the statement's digest."""

    index: int
    kind: FeedKind
    id: str
    digest: Annotated[str, Field(description="SHA-256 of the statement, hexadecimal.")]
    carrier: str
    vehicle: str
    start: str
    end: str


class FeedAnswer(BaseModel):
    """Records by ascending log index. Come back with ``next_cursor``, at once if ``more``."""

    items: list[FeedItem]
    next_cursor: str
    more: bool


@router.get("/feed", summary="What is new for the caller", response_model=FeedAnswer)
def feed(
    exchange: Context, caller: Authenticated, cursor: Cursor = None, limit: Limit = ITEMS_DEFAULT
) -> FeedAnswer:
    """Thin: fetch what an item names. Late data comes under a new index."""
    with exchange.connection() as conn:
        size = newest(conn).size
        page = feed_page(conn, caller, exchange.now_ms(), index_of(cursor), size, limit)
        record_reads(conn, reads_of(caller, page.rows))
    return FeedAnswer(
        items=[_item(row) for row in page.rows],
        next_cursor=cursor_at(page.next_index),
        more=page.next_index < size,
    )


def _item(row: FeedRow) -> FeedItem:
    return FeedItem(
        index=row.index,
        kind=_KINDS[row.kind],
        id=row.id,
        digest=row.digest.hex(),
        carrier=row.carrier,
        vehicle=row.vehicle,
        start=time_of(row.start_ms),
        end=time_of(row.end_ms),
    )
