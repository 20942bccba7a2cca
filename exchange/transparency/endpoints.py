"""The published log under /log/ (C2SP tlog-tiles) and what a reader must know of it."""

import gzip
import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from exchange.api.context import Context
from exchange.orgs.repository import org_keys
from exchange.transparency.key_statements import key_statement_at
from exchange.transparency.model import Published
from exchange.transparency.newest import NotInLog, newest
from exchange.transparency.repository import entries, published, tile
from exchange.witnesses.newest import newest_of_quorum
from ledger.tiles import TilePathRefused, parse_tile_path
from schemas.limits import INT64_MAX

router = APIRouter(tags=["log"])

_WEIGHT_ZERO = re.compile(r"q=0(\.0{0,3})?")
_FOR_EVER = "public, max-age=31536000, immutable"
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


class LogAnswer(BaseModel):
    """The log's name and keys. Trust them only as far as you trust where you read them."""

    origin: str
    vkey: Annotated[str, Field(description="The log's C2SP verifier key (Ed25519).")]
    vkey_ml_dsa: Annotated[str, Field(description="Its second one (ML-DSA-44).")]
    size: Annotated[int, Field(description="Leaves that the newest checkpoint covers.")]
    exchange: str
    exchange_keys: Annotated[list[str], Field(description="COSE_Keys, hexadecimal.")]


@router.get("/v1/log", summary="The log's name and keys", response_model=LogAnswer)
def describe(exchange: Context) -> LogAnswer:
    """Public, like everything under /log/."""
    with exchange.connection() as conn:
        checkpoint = published(conn)
        keys = org_keys(conn, [exchange.organisation])
    return LogAnswer(
        origin=exchange.origin,
        vkey=exchange.log_vkey,
        vkey_ml_dsa=exchange.log_ml_dsa_vkey,
        size=0 if checkpoint is None else checkpoint.size,
        exchange=exchange.organisation,
        exchange_keys=[key.cose_key.hex() for key in keys if key.revoked_index is None],
    )


@router.get(
    "/log/checkpoint",
    summary="Newest final checkpoint",
    response_class=Response,
    responses={200: _TEXT},
)
def final_checkpoint(exchange: Context) -> Response:
    """A C2SP signed note: cosigned by a quorum of witnesses where one is configured."""
    with exchange.connection() as conn:
        return _note(newest_of_quorum(conn) if exchange.quorum else newest(conn))


@router.get(
    "/log/checkpoint.latest",
    summary="Newest signed checkpoint",
    response_class=Response,
    responses={200: _TEXT},
)
def latest_checkpoint(exchange: Context) -> Response:
    """A C2SP signed note, as the log signed it; witnesses may not have seen it yet."""
    with exchange.connection() as conn:
        return _note(newest(conn))


def _note(checkpoint: Published) -> Response:
    return Response(
        checkpoint.note,
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


@router.get(
    "/log/tile/{path:path}",
    summary="A tile or entry bundle",
    response_class=Response,
    responses={200: _BYTES},
)
def log_tile(
    request: Request,
    exchange: Context,
    path: Annotated[str, Path(max_length=128, description="As in C2SP tlog-tiles.")],
) -> Response:
    """Hashes of a tile (``tile/<L>/<N>[.p/<W>]``) or entries (``tile/entries/<N>[.p/<W>]``)."""
    try:
        level, n, width = parse_tile_path(f"tile/{path}")
    except TilePathRefused:
        raise NotInLog("No tile has this path: see C2SP tlog-tiles.") from None
    with exchange.connection() as conn:
        found = entries(conn, n, width) if level is None else tile(conn, level, n, width)
    if found is None:
        raise NotInLog("No published checkpoint covers this tile.")
    headers = {"Cache-Control": _FOR_EVER}
    if level is None:
        headers["Vary"] = "Accept-Encoding"
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            found = gzip.compress(found, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(found, media_type="application/octet-stream", headers=headers)


@router.get(
    "/log/key/{index}",
    summary="A key statement",
    response_class=Response,
    responses={200: {"content": {"application/cose": {"schema": {"type": "string"}}}}},
)
def key_statement(
    exchange: Context,
    index: Annotated[int, Path(ge=0, le=INT64_MAX, description="Of its leaf.")],
) -> Response:
    """A record of a device's or organisation's key, or a revocation of one, as it was signed."""
    with exchange.connection() as conn:
        found = key_statement_at(conn, index, newest(conn).size)
    if found is None:
        raise NotInLog("No key statement has this index in the published log.")
    return Response(found, media_type="application/cose", headers={"Cache-Control": _FOR_EVER})


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client asks for gzip by name (RFC 9110 section 12.5.3), with any weight but 0."""
    for coding in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in coding.split(";"))
        if name in ("gzip", "x-gzip"):
            return all(not _WEIGHT_ZERO.fullmatch(parameter) for parameter in parameters)
    return False


def _answer_head() -> None:
    """HEAD for everything under /log/, as a web server over the same files would answer it."""
    for route in list(router.routes):
        if isinstance(route, APIRoute) and route.path.startswith("/log/"):
            router.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                response_class=Response,
                include_in_schema=False,
            )


_answer_head()
