"""A device's session at the broker, as an agent opens it: MQTT 3.1.1 over TLS, its own name.

The only file of the bench's fleet that knows the MQTT library.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import lru_cache

import aiomqtt

from haulproof.bench.load.admission import Enrolled
from haulproof.bench.load.fleet import Member

PATIENCE_S = 120.0
CONNECTING_AT_ONCE = 16
LinkLost = aiomqtt.MqttError

_QUIET = logging.getLogger("haulproof.bench.session")
_QUIET.setLevel(logging.ERROR)  # that many publishes wait is what a load is


def session(enrolled: Enrolled, in_flight: int) -> aiomqtt.Client:
    """A client that is not connected yet; ``in_flight`` publishes wait for their PUBACK at most."""
    return aiomqtt.Client(
        enrolled.host,
        enrolled.port,
        identifier=enrolled.username,
        username=enrolled.username,
        password=enrolled.password,
        clean_session=False,
        tls_context=_trusting(enrolled.ca_pem),
        max_inflight_messages=in_flight,
        timeout=PATIENCE_S,
        logger=_QUIET,
    )


async def connect_all(
    stack: AsyncExitStack, members: Iterable[Member], in_flight: int
) -> list[aiomqtt.Client]:
    """A connected session for every member, in order, closed with the stack."""
    slots = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(member: Member) -> aiomqtt.Client:
        async with slots:
            return await stack.enter_async_context(session(member.enrolled, in_flight))

    return list(await asyncio.gather(*(connect(member) for member in members)))


@lru_cache(maxsize=4)
def _trusting(ca_pem: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca_pem)
