"""``haulproof bench intake``: segments per second from the broker to the receipt.

A fleet's segments are signed beforehand and published over MQTT by their own devices, in turns,
while intake is held back; then intake is let go, and receipts are counted where devices would hear
them. A first, smaller load warms up and says how large the measured one must be to last. Afterwards
the exchange's processes stand still, and the same machine does the parts of the work alone, and the
work of a plain consumer.
"""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from haulproof.bench import plain_consumer
from haulproof.bench.bench_exchange import (
    ROOMY,
    WARM_UP_SEGMENTS,
    BenchExchange,
    Drained,
    bench_exchange,
    drain,
    warm_up,
)
from haulproof.bench.broker_watch import broker_watch
from haulproof.bench.limits.bare_broker import bare_broker
from haulproof.bench.limits.committed import Committed, make_schema, newest
from haulproof.bench.limits.hop import hops_per_s
from haulproof.bench.limits.leaves import appended_leaves_per_s
from haulproof.bench.limits.parts import BarePart, summed
from haulproof.bench.limits.rows import copied_rows_per_s
from haulproof.bench.limits.verify import verifications_per_s
from haulproof.bench.telling import Telling
from haulproof.bench.usage import servers_alone

_MARGIN = 1.25
"""More segments than the warm-up's rate would need, so that the run lasts as long as asked."""
_COMPARED_MAX = 20_000
_PART_S_MAX = 10.0
_PLAIN_PER_S = 500
"""More than the plain consumer can take."""
_PLAIN_T0_S = 1_750_000_000


@dataclass(frozen=True, slots=True)
class IntakeBench:
    """What to measure: devices, and seconds that the load should last or how many segments."""

    devices: int = 1_000
    seconds: float = 60
    segments: int | None = None
    warm_up_segments: int = WARM_UP_SEGMENTS
    stream_bytes_max: int = 4_000_000_000

    @property
    def part_s(self) -> float:
        """How long each bare part and the plain consumer are measured."""
        return min(self.seconds, _PART_S_MAX)


@dataclass(frozen=True, slots=True)
class _Run:
    warm: Drained
    measured: Drained


def run(plan: IntakeBench, telling: Telling) -> dict[str, Any]:
    """Measure; a figure, its limits and its peer in the same run, and their ratios."""
    settings = {**ROOMY, "stream_bytes_max": plan.stream_bytes_max}
    with bench_exchange(plan.devices, telling, settings) as exchange:
        done = asyncio.run(_measure(exchange, plan, telling))
        with servers_alone(exchange.directory.root):
            make_schema(exchange.database_url)
            committed = newest(exchange.database_url, _COMPARED_MAX)
            parts = _bare_parts(exchange, plan, committed, telling)
            plain = _plain(exchange, plan, telling)
        return _figures(exchange, plan, done, parts, plain, committed)


async def _measure(exchange: BenchExchange, plan: IntakeBench, telling: Telling) -> _Run:
    async with broker_watch(exchange.account) as watch:
        warm = await warm_up(exchange, watch, plan.warm_up_segments, telling)
        if plan.segments is not None:
            return _Run(warm, await drain(exchange, watch, plan.segments, telling))
        measured = warm
        while measured is warm or measured.seconds < plan.seconds:
            wanted = int(measured.per_s * plan.seconds * _MARGIN)
            measured = await drain(exchange, watch, wanted, telling)
        return _Run(warm, measured)


def _bare_parts(
    exchange: BenchExchange, plan: IntakeBench, committed: Committed, telling: Telling
) -> dict[str, BarePart]:
    cores, batch = os.cpu_count() or 1, exchange.settings.batch_messages_max
    batch = max(1, min(batch, len(committed.ids) // cores))
    url, seconds = exchange.database_url, plan.part_s
    keys = {one.device.device: one.device.key_pem for one in exchange.fleet.members}
    checked = [
        (keys[device], raw) for device, raw in zip(committed.devices, committed.raws, strict=True)
    ]
    with telling.lasting("verifying the same bytes, bare", seconds):
        verify = BarePart(verifications_per_s(checked, cores, seconds), cores)
    with telling.lasting("pulling the same messages from the broker, bare", seconds):
        hop = BarePart(hops_per_s(exchange.account, committed.raws, batch, cores), cores)
    with telling.lasting("copying the same rows, bare", seconds):
        copy = BarePart(copied_rows_per_s(url, committed, batch, cores, seconds), cores)
    with telling.lasting("appending the same leaves, bare", seconds):
        leaf = BarePart(appended_leaves_per_s(url, committed.leaves, batch, seconds), 1)
    return {"verify": verify, "broker_hop": hop, "copy": copy, "leaf": leaf}


def _plain(exchange: BenchExchange, plan: IntakeBench, telling: Telling) -> float:
    sentence = "a plain consumer: JSON, and an INSERT for each sample"
    count = max(1, int(plan.part_s * _PLAIN_PER_S))
    messages = plain_consumer.plain_messages(exchange.fleet.blocks, count, _PLAIN_T0_S)
    with telling.lasting(sentence, plan.part_s), bare_broker(exchange.folder / "bare") as port:
        return plain_consumer.segments_per_s(port, exchange.database_url, messages, plan.part_s)


def _figures(
    exchange: BenchExchange,
    plan: IntakeBench,
    done: _Run,
    parts: dict[str, BarePart],
    plain_per_s: float,
    committed: Committed,
) -> dict[str, Any]:
    measured, cores = done.measured, os.cpu_count() or 1
    verify_per_s = parts["verify"].per_s
    return {
        "name": "intake",
        "segments_per_s": round(measured.per_s, 1),
        "verify_per_s": round(verify_per_s, 1),
        "ratio": round(measured.per_s / verify_per_s, 4),
        "segments": measured.segments,
        "seconds": round(measured.seconds, 1),
        "devices": plan.devices,
        "segments_per_receipt_message": round(measured.segments / measured.ack_messages, 2),
        "segment_bytes_mean": sum(map(len, committed.raws)) // len(committed.raws),
        "warm_up_segments": done.warm.segments,
        "cores": cores,
        "bare_parts": summed(parts, measured.per_s, cores),
        "plain_consumer": {
            "segments_per_s": round(plain_per_s, 1),
            "ratio": round(measured.per_s / plain_per_s, 1),
        },
        "cpu_us_per_segment": {
            part: round(seconds / measured.segments * 1e6, 1)
            for part, seconds in sorted(measured.cpu_s.items())
        },
        "rss_mb": [{"segments": segments, **held_mb} for segments, held_mb in measured.rss_mb],
        "intake_workers": exchange.settings.intake_workers,
        "postgresql": exchange.durability(),
    }
