"""A limit of requests per client, and the header fields that tell of it.

Header fields: draft-ietf-httpapi-ratelimit-headers-11. One window per client, held in memory: the
limit protects this process, it is no account.
"""

import math
import threading
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.errors import ExchangeRefusal

REQUESTS_MAX = 6_000
WINDOW_S = 60
_CLIENTS_MAX = 10_000
_STATE = "haulproof_quota"


class OverQuota(ExchangeRefusal):
    """A client that has used up its requests of this window."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many requests: try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a client's window: requests, and whole seconds until the next."""

    remaining: int
    reset_s: int


class Quota:
    """Counts requests in fixed windows; time is passed in (s, any monotonic clock)."""

    def __init__(self, requests_max: int = REQUESTS_MAX, window_s: int = WINDOW_S) -> None:
        self.requests_max = requests_max
        self.window_s = window_s
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    @property
    def policy(self) -> str:
        """The value of RateLimit-Policy."""
        return f'"client";q={self.requests_max};w={self.window_s}'

    def take(self, client: str, now_s: float) -> Standing:
        """Count one request; ``OverQuota`` when the window has none left."""
        with self._lock:
            started, used = self._windows.get(client, (now_s, 0))
            if now_s - started >= self.window_s:
                started, used = now_s, 0
            reset_s = max(1, math.ceil(started + self.window_s - now_s))
            if used >= self.requests_max:
                raise OverQuota(reset_s)
            if client not in self._windows and len(self._windows) >= _CLIENTS_MAX:
                self._forget_ended(now_s)
            self._windows[client] = (started, used + 1)
        return Standing(self.requests_max - used - 1, reset_s)

    def _forget_ended(self, now_s: float) -> None:
        self._windows = {
            client: (started, used)
            for client, (started, used) in self._windows.items()
            if now_s - started < self.window_s
        }


class QuotaHeaders:
    """ASGI middleware: adds the header fields to every answer whose client was counted."""

    def __init__(self, app: ASGIApp, quota: Quota) -> None:
        self.app = app
        self.quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            standing = scope.get("state", {}).get(_STATE)
            if message["type"] == "http.response.start" and standing is not None:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self.quota.policy
                headers["RateLimit"] = f'"client";r={standing.remaining};t={standing.reset_s}'
            await send(message)

        await self.app(scope, receive, send_with_headers)


def note_standing(state: object, standing: Standing) -> None:
    """Leave a client's standing on the request's state, for the middleware."""
    setattr(state, _STATE, standing)
