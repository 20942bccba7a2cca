"""What intake relies on of a broker, held against each: NATS, and Mosquitto behind the feeder."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from exchange.directory import Directory
from exchange.embedded.nats import EmbeddedNats
from exchange.intake.model import Message
from exchange.intake.queue import BrokerError, SegmentQueue
from exchange.intake.receipts import Answer
from tests.exchange.intake.queues import DEADLINE_S, SEG, Rig, mosquitto_rig, nats_rig, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["nats", "mosquitto"])
async def rig(request: pytest.FixtureRequest, exchange_directory: Directory) -> AsyncIterator[Rig]:
    if request.param == "nats":
        server: EmbeddedNats = request.getfixturevalue("nats_server")
        async with nats_rig(server, request.getfixturevalue("nats")) as made:
            await (await made.worker()).disconnect()  # the stream is there before anyone publishes
            yield made
    else:
        async with mosquitto_rig(request.getfixturevalue("mosquitto"), exchange_directory) as made:
            yield made


async def take(queue: SegmentQueue, count: int, at_once: int = 100) -> list[Message]:
    """So many messages, in as many batches as they come in; errors are met as intake meets them."""
    taken: list[Message] = []
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while len(taken) < count:
        assert asyncio.get_running_loop().time() < deadline, f"{len(taken)} of {count}"
        try:
            taken += await queue.next_batch(at_once, 0.02)
        except (BrokerError, OSError):
            await asyncio.sleep(0.1)
            try:
                await queue.open()
            except (BrokerError, OSError):
                continue
    return taken


def payloads(count: int) -> list[bytes]:
    return [b"segment %d" % number for number in range(count)]


async def test_a_message_comes_with_topic_bytes_and_time(rig: Rig) -> None:
    queue = await rig.worker()
    before = datetime.now(UTC) - timedelta(seconds=1)
    await rig.publish(b"\x00\xff")

    (message,) = await take(queue, 1)

    assert (message.topic, message.payload) == (SEG, b"\x00\xff")
    assert before < message.received_at <= datetime.now(UTC)


async def test_an_idle_broker_gives_nothing_and_then_what_comes(rig: Rig) -> None:
    queue = await rig.worker()

    assert await queue.next_batch(10, 0.02) == []
    await rig.publish(b"late")
    assert [message.payload for message in await take(queue, 1)] == [b"late"]


async def test_a_batch_has_no_more_messages_than_asked_for(rig: Rig) -> None:
    queue = await rig.worker()
    sent = payloads(25)
    await rig.publish(*sent)

    batches: list[list[Message]] = []
    while sum(len(batch) for batch in batches) < len(sent):
        batches.append(await take(queue, 1, at_once=10))

    assert max(len(batch) for batch in batches) <= 10
    assert sorted(one.payload for batch in batches for one in batch) == sorted(sent)


async def test_what_was_acknowledged_comes_to_nobody_again(rig: Rig) -> None:
    first = await rig.worker()
    await rig.publish(b"done")
    await first.acknowledge(await take(first, 1))
    await first.disconnect()
    await rig.restart()
    second = await rig.worker()
    await rig.publish(b"next")

    assert {message.payload for message in await take(second, 1)} == {b"next"}


async def test_what_a_worker_left_unacknowledged_comes_to_another(rig: Rig) -> None:
    first = await rig.worker()
    sent = payloads(10)
    await rig.publish(*sent)
    taken = await take(first, 10)
    await first.acknowledge(taken[:4])
    await first.disconnect()
    second = await rig.worker()

    left = await take(second, 6)

    assert sorted(one.payload for one in left) == sorted(one.payload for one in taken[4:])


async def test_two_workers_share_and_neither_gets_the_other_s(rig: Rig) -> None:
    workers = [await rig.worker(), await rig.worker()]
    sent = payloads(60)
    got: list[bytes] = []

    async def work(queue: SegmentQueue) -> None:
        while len(got) < len(sent):
            batch = await queue.next_batch(7, 0.01)
            got.extend(message.payload for message in batch)
            await queue.acknowledge(batch)

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(rig.publish(*sent), *map(work, workers))

    assert sorted(got) == sorted(sent)


async def test_an_answer_reaches_the_device_that_it_is_for(rig: Rig) -> None:
    queue = await rig.worker()
    await queue.answer(
        [
            Answer("hp/v1/acme/dev-1/ack", b"receipt"),
            Answer("hp/v1/acme/dev-2/ack", b"a neighbour's"),
            Answer("hp/v1/acme/dev-1/ref", b"refusal"),
        ]
    )

    await until(lambda: len(rig.heard) >= 2)
    assert sorted(rig.heard) == [
        ("hp/v1/acme/dev-1/ack", b"receipt"),
        ("hp/v1/acme/dev-1/ref", b"refusal"),
    ]


async def test_after_close_what_is_in_hand_can_still_be_acknowledged(rig: Rig) -> None:
    first = await rig.worker()
    await rig.publish(b"last")
    batch = await take(first, 1)
    await first.close()
    await first.acknowledge(batch)
    await first.disconnect()
    await rig.restart()
    second = await rig.worker()
    await rig.publish(b"next")

    assert {message.payload for message in await take(second, 1)} == {b"next"}


async def test_a_broker_that_was_away_hands_over_again_what_was_not_acknowledged(rig: Rig) -> None:
    queue = await rig.worker()
    await rig.publish(b"before")
    stale = await take(queue, 1)

    await rig.restart()
    await rig.publish(b"after")
    again = await take(queue, 2)
    await queue.acknowledge(stale)
    await queue.acknowledge(again)

    assert {message.payload for message in again} == {b"before", b"after"}
