"""``haulproof bench all``: every bench, one after the other, in one document."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haulproof.bench import intake, latency, ledger, overload, verify
from haulproof.bench.bench_exchange import WARM_UP_SEGMENTS
from haulproof.bench.report.machine import machine
from haulproof.bench.report.page import page
from haulproof.bench.telling import Telling

FORMAT = 1
_OVERLOAD_SHARE = 0.25
"""Of the seconds that the other benches last: the backlog of an overload takes longer than it."""


@dataclass(frozen=True, slots=True)
class Record:
    """Seconds of each load, devices of each fleet."""

    devices: int = 1_000
    seconds: float = 60
    segments: int | None = None
    warm_up_segments: int = WARM_UP_SEGMENTS


def run(plan: Record, telling: Telling) -> dict[str, Any]:
    """Measure everything; half of what intake reaches is what latency is measured at."""
    told = machine()
    taken = intake.run(
        intake.IntakeBench(plan.devices, plan.seconds, plan.segments, plan.warm_up_segments),
        telling,
    )
    half = taken["segments_per_s"] / 2
    waited = latency.run(
        latency.LatencyBench(plan.devices, plan.seconds, half, plan.warm_up_segments),
        telling,
    )
    flooded = overload.run(
        overload.OverloadBench(plan.devices, plan.seconds * _OVERLOAD_SHARE, plan.warm_up_segments),
        telling,
    )
    logged = ledger.run(ledger.LedgerBench(seconds=plan.seconds), telling)
    verified = verify.run(verify.VerifyBench(seconds=plan.seconds), telling)
    benches = {one["name"]: one for one in (taken, waited, flooded, logged, verified)}
    return {"format": FORMAT, "machine": told, "benches": benches}


def write_page(document: dict[str, Any], markdown: Path) -> None:
    """The page, and beside it the document that it was made of, as ``.json``."""
    markdown.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    markdown.write_text(page(document))
