"""``haulproof bench overload``: three times the capacity, and what becomes of it.

Two loads, one after the other. *fleet*: every device but some quiet ones sends too much, keeps what
the broker has no room for, and sends it later, as agents do. *noisy*: one device floods as fast as
its connection goes, for nothing but itself; all others are quiet. Quiet devices send at their
steady pace before, during and after, and theirs are the latencies.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from haulproof.bench.bench_exchange import (
    WARM_UP_SEGMENTS,
    BenchExchange,
    bench_exchange,
    capacity_per_s,
)
from haulproof.bench.broker_watch import StreamPeak, broker_watch
from haulproof.bench.limits.committed import without_leaf
from haulproof.bench.load.crew import aside
from haulproof.bench.load.live import send_live
from haulproof.bench.load.overloads import FACTOR, Phases, fleet_load, noisy_load, phases
from haulproof.bench.load.schedule import Sender
from haulproof.bench.report.overloaded import outcome
from haulproof.bench.telling import Telling

_PATIENCE_S = 120.0
_WARM_UP_EACH_MAX = 250
"""Of a device, so that no quota holds while the capacity is measured."""


@dataclass(frozen=True, slots=True)
class OverloadBench:
    """What to measure; ``seconds`` is how long the overload lasts."""

    devices: int = 500
    seconds: float = 15
    warm_up_segments: int = WARM_UP_SEGMENTS
    stream_bytes_max: int = 30_000_000
    """Small enough for the broker's bound to be reached."""


def run(plan: OverloadBench, telling: Telling) -> dict[str, Any]:
    """Measure both loads on one exchange."""
    when = phases(plan.seconds)
    settings = {"stream_bytes_max": plan.stream_bytes_max}
    warm_up_segments = min(plan.warm_up_segments, plan.devices * _WARM_UP_EACH_MAX)
    with bench_exchange(plan.devices, telling, settings) as exchange:
        capacity = asyncio.run(capacity_per_s(exchange, warm_up_segments, telling))
        loads = {
            "fleet": fleet_load(plan.devices, capacity, when),
            "noisy": noisy_load(plan.devices, capacity, when),
        }
        figures: dict[str, Any] = {
            "name": "overload",
            "capacity_per_s": round(capacity, 1),
            "factor": FACTOR,
            "seconds": plan.seconds,
            "devices": plan.devices,
            "stream_bytes_max": plan.stream_bytes_max,
        }
        for name, senders in loads.items():
            sentence = f"the load {name}: {plan.seconds:g} s of {FACTOR:g} times the capacity"
            with telling.lasting(sentence, when.end_s):
                figures[name] = asyncio.run(_measure(exchange, senders, when))
        return figures


async def _measure(
    exchange: BenchExchange, senders: Sequence[Sender], when: Phases
) -> dict[str, Any]:
    peak = StreamPeak()
    async with broker_watch(exchange.account) as watch:
        watching = asyncio.create_task(watch.watch_stream(peak))
        load = await aside(partial(send_live, exchange.fleet, senders, _PATIENCE_S))
        watching.cancel()
    quiet = {sender.device for sender in senders if sender.rhythm.until_s > when.load_end_s}
    lost = await asyncio.to_thread(without_leaf, exchange.database_url, load.heard)
    return {
        **outcome(load, quiet, when),
        "acknowledged_lost": lost,
        "stream_messages_peak": peak.messages,
        "stream_bytes_peak": peak.bytes,
    }
