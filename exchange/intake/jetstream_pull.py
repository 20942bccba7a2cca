"""Messages of a JetStream pull consumer, asked for ahead of need (NATS ADR-13, "Pull Subscribe").

One request asks for many messages, which arrive at one subscription. The library's own ``fetch``
makes a subscription's worth of objects and waits for each message; per segment that costs more than
reading it. Requests expire at the server, which then says how many of their messages are not to
come; one whose word was lost on the way expires here a little later.
"""

import asyncio
import json
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from nats.js.api import Header

_EXPIRES_S = 5.0
_LATE_S = 1.0
_BYTES_MAX = 16 * 1024 * 1024
"""Of one request: few messages of the largest size, many of the usual one."""
_PENDING_BYTES = 64 * 1024 * 1024
_PENDING_MESSAGES = 1_000_000
_NOTHING_MORE = ("404", "408")
"""No messages now; a request has expired."""
_LIMIT = "409"
_PENDING_HEADER = "Nats-Pending-Messages"


class Pull:
    """What was asked for and has arrived; owned by one event loop."""

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._subscription: Subscription | None = None
        self._inbox = ""
        self._held: deque[Msg] = deque()
        self.asked = 0
        """Messages that requests at the server may still bring."""
        self._expires_at = 0.0
        self._arrived = asyncio.Event()
        self._broken = ""

    async def open(self) -> None:
        """Listen; the consumer is there."""
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            self._inbox,
            cb=self._take,
            pending_bytes_limit=_PENDING_BYTES,
            pending_msgs_limit=_PENDING_MESSAGES,
        )

    async def close(self) -> None:
        """Listen no more; what has arrived and was not fetched is delivered again to others."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await subscription.unsubscribe()

    async def fetch(self, messages_max: int, age_s: float, idle_s: float) -> list[Msg]:
        """Up to ``messages_max``, at most ``age_s`` after the first; none after ``idle_s``.

        Raises the library's ``Error`` when the consumer is gone.
        """
        await self._ask(messages_max)
        if not await self._wait_for(1, idle_s):
            return []
        await self._wait_for(messages_max, age_s)
        taken = [self._held.popleft() for _ in range(min(messages_max, len(self._held)))]
        await self._ask(messages_max)
        return taken

    async def _ask(self, messages_max: int) -> None:
        """Have this batch and the next on their way."""
        loop = asyncio.get_running_loop()
        if self.asked and loop.time() > self._expires_at:
            self.asked = 0
        if self.asked + len(self._held) >= messages_max:
            return
        batch = 2 * messages_max - self.asked - len(self._held)
        request = {"batch": batch, "expires": int(_EXPIRES_S * 1e9), "max_bytes": _BYTES_MAX}
        self.asked += batch
        self._expires_at = loop.time() + _EXPIRES_S + _LATE_S
        await self._client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)

    async def _wait_for(self, messages: int, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while len(self._held) < messages:
            if self._broken:
                broken, self._broken = self._broken, ""
                raise Error(broken)
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), max(until - loop.time(), 0.001))
            except TimeoutError:
                return False
        return True

    async def _take(self, message: Msg) -> None:
        if message.reply:
            self._held.append(message)
            self.asked -= 1
        else:
            self._take_status(message)
        self._arrived.set()

    def _take_status(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get(Header.STATUS, "")
        if status in _NOTHING_MORE or (status == _LIMIT and _PENDING_HEADER in headers):
            self.asked -= int(headers.get(_PENDING_HEADER, self.asked))
        else:
            self._broken = f"the consumer said {status} {headers.get(Header.DESCRIPTION, '')}"
