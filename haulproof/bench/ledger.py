"""``haulproof bench ledger``: what the log takes, proves and publishes, without intake before it.

Durable leaves per second into PostgreSQL and into a directory of tiles, the time of a proof at any
size that the log ever had, and the time from a leaf to a published checkpoint over it. Beside them
in the same run: the same tree hashed and kept nowhere, and what others publish for the same work.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haulproof.bench.limits.hashing import hashed_leaves_per_s
from haulproof.bench.limits.tile_directory import directory_leaves_per_s
from haulproof.bench.log.appending import append_seconds
from haulproof.bench.log.bench_log import BenchLog, bench_log
from haulproof.bench.log.places import entries_of, random_digests
from haulproof.bench.log.proving import proof_seconds
from haulproof.bench.log.publishing import seconds_to_publish
from haulproof.bench.log.tables import append_us_per_leaf
from haulproof.bench.peers.aics_directory import aics_leaves_per_s
from haulproof.bench.peers.pymerkle_tree import pymerkle_figures
from haulproof.bench.report.percentiles import in_ms
from haulproof.bench.telling import Telling

BATCHES = 10_000, 2_000, 256
"""The largest is the headline; then what intake commits at once, and a whole tile."""
TREES = 100_000, 100_000_000
_SMALLER_SHARE = 10
_PROOFS = 500
_TREE_BATCH, _TREE_TIMES = 1_000, 50
_DIRECTORY_BATCH = 10_000
_AICS_BATCHES = 256, 10_000
_AICS_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class LedgerBench:
    """How many leaves are appended, and how long some are published at a rate."""

    leaves: int = 1_000_000
    seconds: float = 60
    rate_per_s: float = 1_000


def run(plan: LedgerBench, telling: Telling) -> dict[str, Any]:
    """Measure; every figure beside its limit or peer, and their ratios."""
    digests = random_digests(plan.leaves)
    entries = entries_of(digests)
    with bench_log(telling) as log:
        telling.step("hashing the tree, bare")
        hashing = [hashed_leaves_per_s(entries)]
        batches, grown = _append(log, digests, telling)
        directories = _directories(log.folder, entries, plan, telling)
        telling.step("hashing the tree, bare, again")
        hashing.append(hashed_leaves_per_s(entries))
        telling.step(f"proving at {_PROOFS} historic sizes")
        proofs = proof_seconds(log.url, grown, _PROOFS)
        telling.step("the same in pymerkle, where it is installed")
        pymerkle = pymerkle_figures(entries, log.folder)
        telling.step(f"appending to trees of {TREES[0]:,} and {TREES[1]:,} leaves by turns")
        trees = append_us_per_leaf(log.superuser_url, TREES, _TREE_BATCH, _TREE_TIMES)
        batch_age_s = log.settings.batch_age_ms / 1000
        sentence = f"publishing {plan.rate_per_s:g} leaves/s for {plan.seconds:g} s"
        with log.signing(), telling.lasting(sentence, plan.seconds):
            published = seconds_to_publish(log.url, plan.rate_per_s, plan.seconds, batch_age_s)
        return {
            "name": "ledger",
            **_appended(batches, directories, statistics.mean(hashing), plan.leaves),
            **_published(published, log, plan),
            **_proved(proofs, pymerkle, grown),
            "trees": _trees(trees),
            "pymerkle": None if pymerkle is None else _rates(pymerkle),
            "postgresql": log.durability(),
        }


def _append(
    log: BenchLog, digests: Sequence[bytes], telling: Telling
) -> tuple[dict[int, float], int]:
    """Leaves per second by size of the batch, one log for all; and how large it is then."""
    rates, total = {}, 0
    for batch in BATCHES:
        part = digests if batch == BATCHES[0] else digests[: len(digests) // _SMALLER_SHARE]
        telling.step(f"committing {len(part):,} leaves to the database, {batch:,} at a time")
        took = append_seconds(log.url, part, batch)
        rates[batch] = len(part) / sum(took)
        total += len(part)
    return rates, total


def _directories(
    folder: Path, entries: Sequence[bytes], plan: LedgerBench, telling: Telling
) -> dict[str, float | None]:
    telling.step("writing the same leaves as files, ours and aics-tlog where it is installed")
    found: dict[str, float | None] = {
        "ours": directory_leaves_per_s(entries, _DIRECTORY_BATCH, folder / "tiles", plan.seconds)
    }
    seconds = min(plan.seconds, _AICS_S_MAX)
    for batch in _AICS_BATCHES:
        place = folder / f"aics-{batch}"
        found[f"aics_{batch}"] = aics_leaves_per_s(entries, batch, place, seconds)
    return found


def _appended(
    batches: dict[int, float], directories: dict[str, float | None], hashing: float, leaves: int
) -> dict[str, Any]:
    best, ours = batches[BATCHES[0]], directories["ours"]
    aics = {batch: directories[f"aics_{batch}"] for batch in _AICS_BATCHES}
    fastest = max((rate for rate in aics.values() if rate is not None), default=None)
    return {
        "leaves_per_s": round(best, 1),
        "leaves": leaves,
        "leaves_per_s_by_batch": {str(batch): round(rate, 1) for batch, rate in batches.items()},
        "hashing_per_s": round(hashing, 1),
        "ratio": round(best / hashing, 4),
        "directory_leaves_per_s": _rounded(ours),
        "directory_ratio": None if ours is None else round(ours / hashing, 4),
        "aics_tlog_leaves_per_s": {str(batch): _rounded(rate) for batch, rate in aics.items()},
        "directory_to_aics_tlog": _ratio(ours, fastest),
    }


def _published(seconds: list[float | None], log: BenchLog, plan: LedgerBench) -> dict[str, Any]:
    told = in_ms(seconds)
    return {
        "append_to_checkpoint_ms": told,
        "append_to_checkpoint_ms_p99": told["p99"],
        "rate_per_s": plan.rate_per_s,
        "seconds": plan.seconds,
        "batch_age_ms": log.settings.batch_age_ms,
        "checkpoint_interval_ms": log.settings.checkpoint_interval_ms,
    }


def _proved(
    proofs: dict[str, list[float]], pymerkle: dict[str, Any] | None, size: int
) -> dict[str, Any]:
    ours = in_ms(proofs["inclusion"])
    theirs = None if pymerkle is None else in_ms(pymerkle["proof_s"])
    return {
        "proof_size": size,
        "inclusion_ms": ours,
        "consistency_ms": in_ms(proofs["consistency"]),
        "pymerkle_inclusion_ms": theirs,
    }


def _trees(costs: dict[int, list[float]]) -> dict[str, Any]:
    small, large = (statistics.median(costs[size]) for size in TREES)
    return {
        "batch": _TREE_BATCH,
        "us_per_leaf": {str(size): round(statistics.median(costs[size]), 2) for size in TREES},
        "ratio": round(large / small, 3),
    }


def _rates(pymerkle: dict[str, Any]) -> dict[str, float]:
    return {name: round(pymerkle[name], 1) for name in ("one_by_one_per_s", "bulk_per_s")}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else round(ours / theirs, 2)
