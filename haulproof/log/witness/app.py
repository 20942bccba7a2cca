"""C2SP tlog-witness over HTTP: which answer each outcome has.

``POST /add-checkpoint`` and ``GET /<hex SHA-256 of an origin>/checkpoint``.
"""

import asyncio
import logging
import sqlite3

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from haulproof.log.witness.service import Witness
from ledger.witness.judgement import Cause, NotCosigned
from ledger.witness.quota import AskedTooOften
from ledger.witness.request import REQUEST_BYTES_MAX, SIZE_TYPE, format_size

STATUS = {
    Cause.MALFORMED: 400,
    Cause.UNKNOWN_LOG: 404,
    Cause.UNTRUSTED: 403,
    Cause.OTHER_SIZE: 409,
    Cause.INCONSISTENT: 422,
    Cause.FORK: 422,
}
_BODY_TIMEOUT_S = 10.0
_MONITORS_MAY_KEEP_S = 5

log = logging.getLogger(__name__)


def make_app(witness: Witness) -> Starlette:
    """The witness as an ASGI application."""
    app = Starlette(
        routes=[
            Route("/add-checkpoint", _add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", _checkpoint, methods=["GET"]),
        ],
        middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=REQUEST_BYTES_MAX)],
    )
    app.state.witness = witness
    return app


async def _add_checkpoint(request: Request) -> Response:
    witness: Witness = request.app.state.witness
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            body = await request.body()
    except TimeoutError:
        return PlainTextResponse("the body did not come\n", 408, headers={"Connection": "close"})
    try:
        lines = await run_in_threadpool(witness.add_checkpoint, body)
    except NotCosigned as refused:
        return _refusal(refused)
    except AskedTooOften as refused:
        headers = {"Retry-After": str(refused.retry_after_s)}
        return PlainTextResponse(f"{refused}\n", 429, headers=headers)
    except sqlite3.Error as error:
        log.error("the state cannot be written, nothing is cosigned: %s", error)
        return PlainTextResponse("the witness cannot keep its state\n", 503)
    return PlainTextResponse(lines)


def _refusal(refused: NotCosigned) -> Response:
    if refused.size is not None:
        # A media type would get a charset behind it, and a log may compare the whole value.
        headers = {"Content-Type": SIZE_TYPE}
        return Response(format_size(refused.size), STATUS[refused.cause], headers=headers)
    if refused.cause is Cause.FORK:
        log.error("the log has signed two histories: %s", refused)
    elif refused.cause is Cause.INCONSISTENT:
        log.warning("a signed checkpoint was shown with a proof that does not fit: %s", refused)
    return PlainTextResponse(f"{refused}\n", STATUS[refused.cause])


async def _checkpoint(request: Request) -> Response:
    witness: Witness = request.app.state.witness
    note = await run_in_threadpool(witness.checkpoint, request.path_params["origin_hash"])
    if note is None:
        return PlainTextResponse("this witness has cosigned no checkpoint of that log\n", 404)
    return PlainTextResponse(
        note, headers={"Cache-Control": f"public, max-age={_MONITORS_MAY_KEEP_S}"}
    )
