"""Publishing for the bench: every device over MQTT with its own password, QoS 1, from processes."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import aiomqtt

from haulproof.bench.fleet_admission import CARRIER, Enrolled
from schemas.wire.topics import segment_topic

_DEVICES_AT_ONCE = 16
_IN_FLIGHT = 50
_PATIENCE_S = 120

_QUIET = logging.getLogger("haulproof.bench.upload")
_QUIET.setLevel(logging.ERROR)  # that many publishes wait is what a load is

Upload = tuple[str, Enrolled, list[bytes]]
"""A device's name, its way to the broker, its statements in order."""


def publish(uploads: Sequence[Upload], processes: int) -> None:
    """Publish every statement and see each acknowledged by the broker (not yet by the log)."""
    parts = [list(uploads[n::processes]) for n in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_publish_part, part) for part in parts if part]:
            done.result()


def _publish_part(uploads: list[Upload]) -> None:
    asyncio.run(_publish_all(uploads))


async def _publish_all(uploads: list[Upload]) -> None:
    slots = asyncio.Semaphore(_DEVICES_AT_ONCE)

    async def one(upload: Upload) -> None:
        async with slots:
            await asyncio.wait_for(_publish_device(*upload), _PATIENCE_S)

    await asyncio.gather(*(one(upload) for upload in uploads))


async def _publish_device(device: str, enrolled: Enrolled, statements: list[bytes]) -> None:
    topic = segment_topic(CARRIER, device)
    client = aiomqtt.Client(
        enrolled.host,
        enrolled.port,
        identifier=enrolled.username,
        username=enrolled.username,
        password=enrolled.password,
        clean_session=False,
        tls_context=ssl.create_default_context(cadata=enrolled.ca_pem),
        max_inflight_messages=_IN_FLIGHT,
        timeout=_PATIENCE_S,
        logger=_QUIET,
    )
    async with client:
        for start in range(0, len(statements), _IN_FLIGHT):
            window = statements[start : start + _IN_FLIGHT]
            await asyncio.gather(*(client.publish(topic, raw, qos=1) for raw in window))
