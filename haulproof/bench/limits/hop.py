"""The bare broker hop: JetStream pull and acknowledgement of the same messages, nothing else.

A stream of the bench's own, as intake's is (kept in files, forgotten when acknowledged), filled
beforehand; what a message costs to publish is not in the figure.
"""

import asyncio
import time
from dataclasses import dataclass

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from haulproof.bench.broker_watch import BrokerAccount
from haulproof.bench.load.crew import all_ready, run_together

_STREAM = "BENCH_HOP"
_PUBLISHED_AT_ONCE = 500
_PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class _Part:
    account: BrokerAccount
    subject: str
    batches: int
    batch: int


def hops_per_s(account: BrokerAccount, payloads: list[bytes], batch: int, processes: int) -> float:
    """Messages per second of so many processes, each pulling ``batch`` at a time."""
    parts = [
        _Part(account, f"bench.hop.{n}", max(1, len(payloads) // processes // batch), batch)
        for n in range(processes)
    ]
    asyncio.run(_fill(account, parts, payloads))
    try:
        return sum(run_together(_rate, parts))
    finally:
        asyncio.run(_remove(account))


async def _fill(account: BrokerAccount, parts: list[_Part], payloads: list[bytes]) -> None:
    client = await account.connect()
    stream = client.jetstream()
    try:
        await stream.add_stream(
            StreamConfig(
                name=_STREAM,
                subjects=["bench.hop.*"],
                storage=StorageType.FILE,
                retention=RetentionPolicy.WORK_QUEUE,
            )
        )
        for part in parts:
            consumer = ConsumerConfig(
                durable_name=_durable(part),
                filter_subject=part.subject,
                ack_policy=AckPolicy.EXPLICIT,
                max_ack_pending=65_536,
            )
            await stream.add_consumer(_STREAM, consumer)
            wanted = [payloads[n % len(payloads)] for n in range(part.batches * part.batch)]
            for start in range(0, len(wanted), _PUBLISHED_AT_ONCE):
                window = wanted[start : start + _PUBLISHED_AT_ONCE]
                await asyncio.gather(
                    *(stream.publish(part.subject, raw, timeout=_PATIENCE_S) for raw in window)
                )
    finally:
        await client.close()


async def _remove(account: BrokerAccount) -> None:
    client = await account.connect()
    try:
        await client.jetstream().delete_stream(_STREAM)
    finally:
        await client.close()


def _rate(part: _Part) -> float:
    return asyncio.run(_pull(part))


async def _pull(part: _Part) -> float:
    client = await part.account.connect()
    try:
        pull = await client.jetstream().pull_subscribe_bind(_durable(part), _STREAM)
        await asyncio.to_thread(all_ready)
        started = time.perf_counter()
        for _ in range(part.batches):
            taken = 0
            while taken < part.batch:
                messages = await pull.fetch(part.batch - taken, timeout=_PATIENCE_S)
                for message in messages:
                    await client.publish(message.reply)
                taken += len(messages)
        await client.flush()
        return part.batches * part.batch / (time.perf_counter() - started)
    finally:
        await client.close()


def _durable(part: _Part) -> str:
    return part.subject.replace(".", "-")
