"""The limit on request bodies, with a problem as its answer.

Starlette's own middleware stops a body that grows past the limit, but answers a declared length
beyond it in plain text: such a request is turned away here, before a byte of it is read.
"""

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.api.problems import OF_STATUS, answer

BODY_BYTES_MAX = 262_144


class BodyLimit:
    """ASGI middleware: bodies of at most ``BODY_BYTES_MAX`` bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._within = RequestBodyLimitMiddleware(app, max_body_size=BODY_BYTES_MAX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] == "http" and _declared(Headers(scope=scope)) > BODY_BYTES_MAX:
            refusal = answer(OF_STATUS[413], f"A body has at most {BODY_BYTES_MAX} bytes.")
            await refusal(scope, receive, send)
        else:
            await self._within(scope, receive, send)


def _declared(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0
