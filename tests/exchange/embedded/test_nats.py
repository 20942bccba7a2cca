"""The embedded NATS server with real clients."""

import asyncio

import nats as nats_client

from tests.exchange.conftest import Broker


def test_the_exchange_has_a_durable_stream(nats: Broker) -> None:
    async def scenario() -> int:
        client = await nats_client.connect(nats.url, user=nats.user, password=nats.password)
        stream = client.jetstream()
        await stream.add_stream(name="HP_SEG", subjects=["hp.v1.*.*.seg"])
        ack = await stream.publish("hp.v1.acme.dev-1.seg", b"bytes")
        await client.close()
        return ack.seq

    assert asyncio.run(scenario()) == 1
