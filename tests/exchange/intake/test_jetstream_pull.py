"""Messages are asked for in bursts, and what was asked for is not lost count of."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

from exchange.intake import jetstream_pull
from exchange.intake.jetstream import connect_nats
from exchange.intake.jetstream_pull import Pull
from tests.exchange.conftest import Broker

pytestmark = pytest.mark.anyio
STREAM, CONSUMER, SUBJECT = "PULLED", "one", "pulled.here"
LONG_S = 20.0


@pytest.fixture
async def client(nats: Broker) -> AsyncIterator[Client]:
    client = await connect_nats(nats.url, nats.user, nats.password)
    jetstream = client.jetstream()
    await jetstream.add_stream(
        StreamConfig(name=STREAM, subjects=[SUBJECT], retention=RetentionPolicy.WORK_QUEUE)
    )
    await jetstream.add_consumer(
        STREAM, ConsumerConfig(durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT)
    )
    yield client
    await client.close()


@pytest.fixture
async def pull(client: Client) -> AsyncIterator[Pull]:
    made = Pull(client, STREAM, CONSUMER)
    await made.open()
    yield made
    await made.close()


async def publish(client: Client, *payloads: bytes) -> None:
    jetstream = client.jetstream()
    for payload in payloads:
        await jetstream.publish(SUBJECT, payload)


async def take(client: Client, pull: Pull, count: int) -> list[bytes]:
    taken: list[bytes] = []
    while len(taken) < count:
        batch = await pull.fetch(10, 0.01, LONG_S)
        assert batch, f"only {len(taken)} of {count} came"
        for message in batch:
            await client.publish(message.reply)
        taken += [message.data for message in batch]
    return taken


async def test_more_bytes_than_a_request_may_bring_come_by_several(
    client: Client, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream_pull, "_BYTES_MAX", 200_000)
    sent = [bytes([number]) * 60_000 for number in range(30)]
    await publish(client, *sent)

    assert sorted(await take(client, pull, len(sent))) == sent


async def test_a_request_that_expired_is_followed_by_another(
    client: Client, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream_pull, "_EXPIRES_S", 0.05)
    assert await pull.fetch(10, 0.01, 0.3) == []
    monkeypatch.undo()

    await publish(client, b"late")

    assert await take(client, pull, 1) == [b"late"]


async def test_a_consumer_that_is_gone_is_told(client: Client, pull: Pull) -> None:
    jetstream = client.jetstream()
    waiting = asyncio.create_task(pull.fetch(10, 0.01, LONG_S))
    while not (await jetstream.consumer_info(STREAM, CONSUMER)).num_waiting:
        await asyncio.sleep(0.01)
    await jetstream.delete_consumer(STREAM, CONSUMER)

    with pytest.raises(Error):
        await waiting


async def test_what_comes_while_a_batch_has_its_age_is_in_it(client: Client, pull: Pull) -> None:
    fetching = asyncio.create_task(pull.fetch(10, 0.5, LONG_S))
    sent = [bytes([number]) for number in range(5)]
    await publish(client, *sent)

    assert [message.data for message in await fetching] == sent


async def test_a_full_batch_does_not_wait_for_its_age(client: Client, pull: Pull) -> None:
    await publish(client, *[bytes([number]) for number in range(30)])

    batches = [await pull.fetch(10, 0.01, LONG_S)]  # only the first has to look what is there
    batches += [await pull.fetch(10, 3_600.0, LONG_S) for _ in range(2)]

    assert [len(batch) for batch in batches] == [10, 10, 10]


async def test_an_answer_that_was_lost_is_asked_for_again(
    client: Client, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as lost:
        lost.setattr(jetstream_pull, "_EXPIRES_S", 0.05)
        lost.setattr(jetstream_pull, "_ANSWER_S", 0.05)
        lost.setattr(pull, "_inbox", "_INBOX.of.nobody")
        assert await pull.fetch(10, 0.01, 0.3) == []

    await publish(client, b"late")

    assert await take(client, pull, 1) == [b"late"]
