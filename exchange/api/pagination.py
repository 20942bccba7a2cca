"""Pages of the log: the cursor is the first log index not yet seen, opaque to the caller."""

import re
from typing import Annotated

from fastapi import Query

from exchange.errors import ExchangeRefusal
from schemas.limits import INT64_MAX

ITEMS_MAX = 1_000
ITEMS_DEFAULT = 100

_CURSOR = re.compile(r"[0-9]{1,19}")

Cursor = Annotated[
    str | None,
    Query(max_length=64, description="next_cursor of an earlier answer; it never expires."),
]
Limit = Annotated[int, Query(ge=1, le=ITEMS_MAX, description="Most items in one answer.")]


class CursorRefused(ExchangeRefusal):
    """A cursor that this exchange did not hand out."""


def index_of(cursor: str | None) -> int:
    """The first index to look at."""
    if cursor is None:
        return 0
    if _CURSOR.fullmatch(cursor) is None or int(cursor) > INT64_MAX:
        raise CursorRefused("The cursor is not one that this exchange gave: leave it out.")
    return int(cursor)


def cursor_at(index: int) -> str:
    """The cursor that goes on with this index."""
    return str(index)
