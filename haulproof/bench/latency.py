"""``haulproof bench latency``: from when a segment was to be sent until its device has the receipt.

Devices publish live, by a schedule that waits for nobody, and listen for their own receipts; the
latency counts from the scheduled moment, so that a device which could not send in time is no
excuse. Beside it, from the same run: the bare round trip of the broker and the bare commit.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from haulproof.bench.bench_exchange import (
    QUIET_S,
    ROOMY,
    WARM_UP_SEGMENTS,
    BenchExchange,
    bench_exchange,
    capacity_per_s,
)
from haulproof.bench.limits.bare_broker import bare_broker
from haulproof.bench.limits.commit import commit_seconds
from haulproof.bench.limits.committed import make_schema, newest, without_leaf
from haulproof.bench.limits.echo import echo_seconds
from haulproof.bench.load.heard import LiveLoad, due_between
from haulproof.bench.load.live import send_live
from haulproof.bench.load.schedule import Sender, rhythms
from haulproof.bench.report.percentiles import in_ms
from haulproof.bench.telling import Telling
from haulproof.bench.usage import servers_alone

_SETTLING_S = 2.0
"""The first seconds of the load, in which connections warm up; not counted."""
_LIMIT_TIMES = 500


@dataclass(frozen=True, slots=True)
class LatencyBench:
    """What to measure: devices, seconds of load, segments per second (None: half of capacity)."""

    devices: int = 1_000
    seconds: float = 60
    rate_per_s: float | None = None
    warm_up_segments: int = WARM_UP_SEGMENTS
    stream_bytes_max: int = 4_000_000_000


def run(plan: LatencyBench, telling: Telling) -> dict[str, Any]:
    """Measure; percentiles of the receipt's latency and of the bare parts of it, in ms."""
    settings = {**ROOMY, "stream_bytes_max": plan.stream_bytes_max}
    with bench_exchange(plan.devices, telling, settings) as exchange:
        capacity = asyncio.run(capacity_per_s(exchange, plan.warm_up_segments, telling))
        rate = plan.rate_per_s or capacity / 2
        sentence = f"sending {rate:.0f} segments/s for {plan.seconds:g} s"
        with telling.lasting(sentence, _SETTLING_S + plan.seconds):
            load = send_live(exchange.fleet, _senders(plan, rate), QUIET_S)
        with servers_alone(exchange.directory.root):
            limits = _limits(exchange, telling)
        return _figures(exchange, plan, load, limits, rate=rate, capacity=capacity)


def _senders(plan: LatencyBench, rate_per_s: float) -> list[Sender]:
    until_s = _SETTLING_S + plan.seconds
    return [
        Sender(device, rhythm)
        for device, rhythm in enumerate(rhythms(plan.devices, rate_per_s, 0.0, until_s))
    ]


def _limits(exchange: BenchExchange, telling: Telling) -> dict[str, dict[str, Any]]:
    make_schema(exchange.database_url)
    (payload,) = newest(exchange.database_url, 1).raws
    telling.step("the broker's round trip and the commit, bare")
    with bare_broker(exchange.folder / "bare") as port:
        echo = echo_seconds(port, payload, _LIMIT_TIMES)
    commit = commit_seconds(exchange.database_url, payload, _LIMIT_TIMES)
    return {"broker_echo_ms": in_ms(echo), "commit_ms": in_ms(commit)}


def _figures(
    exchange: BenchExchange,
    plan: LatencyBench,
    load: LiveLoad,
    limits: dict[str, dict[str, Any]],
    *,
    rate: float,
    capacity: float,
) -> dict[str, Any]:
    counted = due_between(load.heard, _SETTLING_S, _SETTLING_S + plan.seconds)
    receipt = in_ms(one.latency_s for one in counted)
    bare_ms = limits["broker_echo_ms"]["p99"] + limits["commit_ms"]["p99"]
    return {
        "name": "latency",
        "receipt_ms": receipt,
        **limits,
        "ratio": None if receipt["p99"] is None else round(receipt["p99"] / bare_ms, 1),
        "rate_per_s": round(rate, 1),
        "capacity_per_s": round(capacity, 1),
        "segments": len(counted),
        "seconds": plan.seconds,
        "devices": plan.devices,
        "without_receipt": sum(one.receipt_s is None for one in counted),
        "without_leaf": without_leaf(exchange.database_url, load.heard),
        "sent_late_ms": in_ms(one.late_s for one in counted),
        "sent_again": load.sent_again,
        "reconnected": load.reconnected,
        "batch_age_ms": exchange.settings.batch_age_ms,
        "checkpoint_interval_ms": exchange.settings.checkpoint_interval_ms,
        "postgresql": exchange.durability(),
    }
