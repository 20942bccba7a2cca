"""The page's section on the log alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from haulproof.bench.report.cells import never, number, ratio, settings, table

_OPENING = """\
## Ledger

The log without intake before it, by the exchange's own code and role: {leaves:,} leaves, a
transaction for each batch. *Bare hashing* is SHA-256 of every leaf and node of the same tree, kept
nowhere. Beside it what others publish for the same work: pymerkle in SQLite, and aics-tlog's files,
each synced (a dash where it is not installed, or Python is older than it needs).
"""


def ledger_section(told: Mapping[str, Any]) -> Iterator[str]:
    """Appends, proofs, publication."""
    yield _OPENING.format(**told)
    yield table(("durable leaves per second", "this run", "of bare hashing"), _rates(told))
    yield (
        f"PostgreSQL with {settings(told['postgresql'])}. A leaf of a batch of "
        f"{told['trees']['batch']:,}: "
        + ", ".join(
            f"{us:,.1f} µs in a tree of {int(size):,}"
            for size, us in told["trees"]["us_per_leaf"].items()
        )
        + f" (ratio {ratio(told['trees']['ratio'])}).\n"
    )
    kinds = {
        "from a leaf to a published checkpoint": told["append_to_checkpoint_ms"],
        "inclusion proof, any historic size": told["inclusion_ms"],
        "the same in pymerkle": told["pymerkle_inclusion_ms"],
        "consistency proof": told["consistency_ms"],
    }
    yield table(
        ("ms", "p50", "p95", "p99", "max"),
        [
            (name, *("–" if ms is None else never(ms[key]) for key in ("p50", "p95", "p99", "max")))
            for name, ms in kinds.items()
        ],
    )
    yield (
        f"{told['rate_per_s']:,.0f} leaves/s for {told['seconds']:g} s, committed when "
        f"{told['batch_age_ms']} ms old, signed at most every {told['checkpoint_interval_ms']} ms; "
        f"proofs out of {told['proof_size']:,} leaves, each asked for alone.\n"
    )


def _rates(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    hashing = told["hashing_per_s"]

    def row(name: str, per_s: float | None) -> tuple[str, ...]:
        return name, number(per_s), ratio(None if per_s is None else per_s / hashing)

    peer = told["pymerkle"] or {}
    return [
        *(
            row(f"PostgreSQL, {int(batch):,} at a time", per_s)
            for batch, per_s in told["leaves_per_s_by_batch"].items()
        ),
        row("directory of tiles, synced", told["directory_leaves_per_s"]),
        *(
            row(f"aics-tlog's directory, {int(batch):,} at a time", per_s)
            for batch, per_s in told["aics_tlog_leaves_per_s"].items()
        ),
        row("pymerkle in SQLite, one by one", peer.get("one_by_one_per_s")),
        row("pymerkle in SQLite, in one go", peer.get("bulk_per_s")),
        row("bare hashing, not kept", hashing),
    ]
