"""Messages of a JetStream pull consumer, asked for in bursts (NATS ADR-13, "Pull Subscribe").

One message is waited for; once it is there and has its age, all that stand behind it are asked for
at once. A stream that hands over each message as it comes wakes both sides for each, which costs
more than reading it. While batches are full, the next is asked for before this one is worked on.

One request is at the server at a time. It ends with its last message, or with the server's word
that there are no more; when that word was lost, after a while.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from nats.js.api import Header

_EXPIRES_S = 5.0
"""How long the server keeps the request for the first message."""
_ANSWER_S = 1.0
"""How long an answer that should come at once is waited for."""
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
        self._asked = 0
        """Messages that the request at the server may still bring."""
        self._lost_at = 0.0
        """When the request's end must have come (the loop's clock)."""
        self._answered = asyncio.Event()
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
        if not self._held:
            await self._ask(1, {"expires": int(_EXPIRES_S * 1e9)}, _EXPIRES_S + _ANSWER_S)
            await self._until_answered(idle_s)
            if not self._held:
                return []
        await self._until_answered(_ANSWER_S)
        if len(self._held) < messages_max:
            await asyncio.sleep(age_s)
            await self._ask_for_all(messages_max - len(self._held))
            await self._until_answered(_ANSWER_S)
        taken = [self._held.popleft() for _ in range(min(messages_max, len(self._held)))]
        if len(taken) == messages_max:
            await self._ask_for_all(messages_max - len(self._held))
        return taken

    async def _ask_for_all(self, messages: int) -> None:
        """Up to so many of those that the stream has now."""
        if messages > 0:
            await self._ask(messages, {"no_wait": True, "max_bytes": _BYTES_MAX}, _ANSWER_S)

    async def _ask(self, messages: int, how: Mapping[str, object], patience_s: float) -> None:
        """Send a request, unless one is at the server and its end may still come."""
        now = asyncio.get_running_loop().time()
        if self._asked and now < self._lost_at:
            return
        self._asked, self._lost_at = messages, now + patience_s
        self._answered.clear()
        request = json.dumps({"batch": messages, **how}).encode()
        await self._client.publish(self._subject, request, reply=self._inbox)

    async def _until_answered(self, timeout_s: float) -> None:
        """Until the request has ended, if there is one, or the time is over."""
        if self._asked and not self._broken:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), timeout_s)
        if self._broken:
            broken, self._broken = self._broken, ""
            raise Error(broken)

    async def _take(self, message: Msg) -> None:
        if message.reply:
            self._held.append(message)
            self._asked = max(0, self._asked - 1)
        else:
            self._take_status(message)
        if not self._asked or self._broken:
            self._answered.set()

    def _take_status(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get(Header.STATUS, "")
        if status in _NOTHING_MORE or (status == _LIMIT and _PENDING_HEADER in headers):
            self._asked = 0
        else:
            self._broken = f"the consumer said {status} {headers.get(Header.DESCRIPTION, '')}"
