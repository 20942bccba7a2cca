"""``haulproof bench verify``: a long trip's evidence, verified offline, and how large it is.

The trip's leaves lie behind one another, or anywhere among 10^5 or 10^7 leaves of others. Verifying
the file is held against bare ES256 verification of its segments, in turns with it, both in time of
the processor; its size against the segments and the hashes that no reader could compute.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from haulproof.bench.evidence.long_trip import LongTrip, TripFile
from haulproof.bench.limits.verify import Prepared, prepare, verify_once
from haulproof.bench.telling import Telling
from ledger.evidence.verify import verify_evidence
from ledger.policy import Policy

_SEED = 0x686170
_TIMES_MIN = 3
_EACH_S_MAX = 5.0
_LOG_LEAVES = 10_000_000
_SPREADS = 100_000, 10_000_000
_FIRST = 1_000
"""Leaves before the trip's: the log has begun long ago."""
_AFTER = 1_000


@dataclass(frozen=True, slots=True)
class VerifyBench:
    """How many segments the trip has, and for how long each file is verified."""

    segments: int = 1_000
    seconds: float = 5


def run(plan: VerifyBench, telling: Telling) -> dict[str, Any]:
    """Measure; a ratio to bare verification and a size for each way in which leaves may lie."""
    telling.step(f"signing a trip of {plan.segments:,} segments")
    trip = LongTrip(plan.segments)
    prepared = [prepare(trip.device.key_pem, raw) for raw in trip.signed]
    layouts = {"contiguous": _contiguous(plan.segments)}
    layouts |= {f"spread_over_{leaves}": _spread(plan.segments, leaves) for leaves in _SPREADS}
    seconds = min(plan.seconds, _EACH_S_MAX)
    told = {}
    for name, (places, size) in layouts.items():
        made = trip.file(places, size)
        with telling.lasting(f"verifying it, {name.replace('_', ' ')}", seconds):
            told[name] = _measure(made, trip.policy, prepared, seconds) | {"log_size": size}
    return {
        "name": "verify",
        "ratio": max(one["ratio"] for one in told.values()),
        "segments": plan.segments,
        "segment_bytes_mean": sum(map(len, trip.signed)) // plan.segments,
        "layouts": told,
    }


def _contiguous(segments: int) -> tuple[list[int], int]:
    first = _LOG_LEAVES // 2
    return list(range(first, first + segments)), _LOG_LEAVES + segments + _AFTER


def _spread(segments: int, leaves: int) -> tuple[list[int], int]:
    chance = random.Random(_SEED)  # noqa: S311 - places, not secrets
    places = sorted(chance.sample(range(max(leaves, segments)), segments))
    return [_FIRST + place for place in places], _FIRST + max(leaves, segments) + _AFTER


def _measure(
    made: TripFile, policy: Policy, prepared: list[Prepared], seconds: float
) -> dict[str, Any]:
    report = verify_evidence(made.data, policy)
    if not report.verified:
        raise RuntimeError(f"the bench's own file does not verify: {report.findings}")
    whole, bare = list[float](), list[float]()
    over = time.perf_counter() + seconds
    while len(whole) < _TIMES_MIN or time.perf_counter() < over:
        whole.append(_seconds(lambda: verify_evidence(made.data, policy)))
        bare.append(_seconds(lambda: verify_once(prepared)))
    least = made.segments_bytes + made.multiproof_bytes
    return {
        "verify_ms": round(statistics.median(whole) * 1000, 2),
        "bare_ms": round(statistics.median(bare) * 1000, 2),
        "ratio": round(statistics.median(whole) / statistics.median(bare), 3),
        "evidence_bytes": len(made.data),
        "segments_bytes": made.segments_bytes,
        "multiproof_bytes": made.multiproof_bytes,
        "larger_percent": round((len(made.data) / least - 1) * 100, 3),
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
