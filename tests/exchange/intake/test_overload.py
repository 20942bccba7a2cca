"""More than intake can take, over a real broker and store: who waits, who is told, what is kept.

The outbox of a device is what the test holds: everything that it has no receipt of.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats as nats_client
import pytest
from nats.aio.client import Client
from nats.js.api import StreamInfo
from nats.js.errors import ServiceUnavailableError
from psycopg import Connection

from exchange.intake.jetstream import JetStreamQueue, connect_nats
from exchange.intake.quota import Rates
from exchange.intake.repository import quarantine_counts
from schemas.errors import Reason
from tests.exchange.conftest import Broker
from tests.exchange.intake.running import DEADLINE_S, LIMITS, STREAM_BYTES_MAX, Running, running
from tests.exchange.intake.test_pipeline import digest, receipted
from tests.exchange.intake.trucks import Truck, admit
from tests.exchange.intake.whole_store import check_store, committed_digests

pytestmark = pytest.mark.anyio

DEVICE_MAX = 64
STREAM_MAX = 200
AT_ONCE = 100
BURST = 32
"""Units of the slowest rate: what is taken of a device whose quota never fills again."""
SLOW = replace(LIMITS, age_s=0.5, rates=Rates(device_per_s=0.001, standing_s=0))
"""Quotas that hold for every full batch. A batch waits long, so that it is full if it can be."""


def bounded(client: Client, bytes_max: int) -> JetStreamQueue:
    return JetStreamQueue(
        client, bytes_max, stream_messages_max=STREAM_MAX, device_messages_max=DEVICE_MAX
    )


@asynccontextmanager
async def held_stream(
    broker: Broker, made: Callable[[Client, int], JetStreamQueue] = bounded
) -> AsyncIterator[Client]:
    """A client of a broker whose stream is there, and nobody takes from it."""
    own = await connect_nats(broker.url, broker.user, broker.password)
    queue = made(own, STREAM_BYTES_MAX)
    await queue.open()
    await queue.close()
    try:
        yield own
    finally:
        await queue.disconnect()


def subject(truck: Truck) -> str:
    return f"hp.v1.{truck.carrier}.{truck.device}.seg"


async def flood(client: Client, truck: Truck, raws: Sequence[bytes]) -> None:
    """Publish as a device does, which does not hear what the stream refuses."""
    for raw in raws:
        await client.publish(subject(truck), raw)
    await client.flush()


async def held(client: Client, messages: int) -> StreamInfo:
    """The stream, once it holds so many: what a client has flushed may still be on its way."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        info = await client.jetstream().stream_info("HP_SEG", subjects_filter=">")
        if info.state.messages == messages:
            return info
        assert asyncio.get_running_loop().time() < deadline, info.state
        await asyncio.sleep(0.02)


async def test_a_full_stream_refuses_what_is_more_and_one_device_cannot_fill_it(
    nats: Broker,
) -> None:
    noisy, quiet, late = Truck("noisy"), Truck("quiet"), Truck("late")

    async with held_stream(nats) as client:
        jetstream = client.jetstream()
        await flood(client, noisy, [b"x"] * 3 * DEVICE_MAX)
        await held(client, DEVICE_MAX)
        with pytest.raises(ServiceUnavailableError):
            await jetstream.publish(subject(noisy), b"x")
        await jetstream.publish(subject(quiet), b"x")

        for n in range(STREAM_MAX):
            await flood(client, Truck(f"dev-{n}"), [b"x"])
        info = await held(client, STREAM_MAX)
        assert (info.state.subjects or {})[subject(noisy)] == DEVICE_MAX
        with pytest.raises(ServiceUnavailableError):
            await jetstream.publish(subject(late), b"x")


async def test_an_exchange_of_before_gets_the_bounds(nats: Broker) -> None:
    own = await connect_nats(nats.url, nats.user, nats.password)
    before = JetStreamQueue(own, STREAM_BYTES_MAX)
    await before.open()
    await flood(own, Truck("noisy"), [b"x"] * 3 * DEVICE_MAX)
    await held(own, 3 * DEVICE_MAX)
    await before.close()

    after = bounded(own, STREAM_BYTES_MAX)
    await after.open()

    info = await held(own, DEVICE_MAX)
    assert (info.config.max_msgs_per_subject, info.config.max_msgs) == (DEVICE_MAX, STREAM_MAX)
    await after.disconnect()


async def test_of_a_noisy_device_little_is_taken_before_the_quiet_ones(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    noisy, quiet = Truck("noisy"), [Truck(f"quiet-{n}") for n in range(10)]
    admit(conn, noisy, *quiet)
    flooded = [noisy.segment() for _ in range(150)]
    own = [(truck, truck.segment()) for truck in quiet]

    async with held_stream(nats, JetStreamQueue) as client:
        await flood(client, noisy, flooded)
        for truck, raw in own:
            await flood(client, truck, [raw])

    async with running(nats, postgres, tmp_path, limits=SLOW) as run:
        for truck, raw in [*own, *((noisy, raw) for raw in flooded)]:
            run.remember(truck, raw)
        await receipted(run, [raw for _, raw in own])
        order = committed_digests(conn)
        last = max(order.index(digest(raw)) for _, raw in own)
        ahead = set(order[:last]) & {digest(raw) for raw in flooded}
        assert len(ahead) <= BURST
        await run.until(lambda: bool(run.ears.refusals), "a word for the noisy one")
        await until_all_is_receipted(run, noisy, flooded, seed=1)

    told = next(iter(run.ears.refusals.values()))
    assert (told.cause, told.permanent) == (Reason.OVER_QUOTA.value, False)
    assert told.digest in {digest(raw) for raw in flooded}
    assert len(run.ears.refusals) == 1
    assert quarantine_counts(conn) == []
    everything = [digest(raw) for raw in [*flooded, *(raw for _, raw in own)]]
    assert sorted(committed_digests(conn)) == sorted(everything)
    check_store(conn)


async def until_all_is_receipted(
    run: Running, truck: Truck, raws: Sequence[bytes], *, seed: int
) -> None:
    """After the flood: the outbox again, in any order, never so much at once that others wait."""
    rng = random.Random(seed)
    async with asyncio.timeout(2 * DEADLINE_S):
        while left := [raw for raw in raws if digest(raw) not in run.ears.receipts]:
            await run.send(truck, *rng.sample(left, min(len(left), 40)))
            await held(run.client, 0)


async def test_beside_an_endless_flood_a_quiet_one_waits_for_what_the_stream_holds_at_most(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    noisy, quiet = Truck("noisy"), Truck("quiet")
    admit(conn, noisy, quiet)
    flooded = [noisy.segment() for _ in range(2_000)]
    own = [quiet.segment() for _ in range(5)]

    async with running(nats, postgres, tmp_path, queue=bounded) as run:
        for raw in flooded:
            run.remember(noisy, raw)
        async with flooding(nats, noisy, flooded) as refused:
            await run.until(lambda: bool(refused), "a stream that is full of it")
            for raw in own:
                run.remember(quiet, raw)
                await run.client.jetstream().publish(subject(quiet), raw)
                before = len(committed_digests(conn))
                await receipted(run, [raw])
                place = committed_digests(conn).index(digest(raw))
                assert place - before <= DEVICE_MAX
        await until_all_is_receipted(run, noisy, flooded, seed=2)

    assert sorted(committed_digests(conn)) == sorted(digest(raw) for raw in [*flooded, *own])
    check_store(conn)


@asynccontextmanager
async def flooding(
    broker: Broker, truck: Truck, raws: Sequence[bytes]
) -> AsyncIterator[list[bytes]]:
    """The same statements over and over until the block ends; yields what the stream refused."""
    client = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    jetstream = client.jetstream()
    refused: list[bytes] = []

    async def publish(raw: bytes) -> None:
        try:
            await jetstream.publish(subject(truck), raw)
        except ServiceUnavailableError:
            refused.append(raw)

    async def without_end() -> None:
        while True:
            for start in range(0, len(raws), AT_ONCE):
                await asyncio.gather(*map(publish, raws[start : start + AT_ONCE]))

    task = asyncio.create_task(without_end())
    try:
        yield refused
    finally:
        task.cancel()
        await asyncio.wait([task])
        await client.close()
