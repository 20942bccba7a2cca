"""What the page says of the log alone and of a long trip's evidence."""

from typing import Any

from haulproof.bench.report.page import sections

_MS = {"p50": 1.25, "p95": 2.0, "p99": 3.0, "max": None, "count": 4}
LEDGER: dict[str, Any] = {
    "name": "ledger",
    "leaves": 1_000_000,
    "leaves_per_s": 120_000.0,
    "leaves_per_s_by_batch": {"10000": 120_000.0, "256": 40_000.0},
    "hashing_per_s": 480_000.0,
    "directory_leaves_per_s": 96_000.0,
    "aics_tlog_leaves_per_s": {"256": None},
    "append_to_checkpoint_ms": _MS,
    "inclusion_ms": _MS,
    "consistency_ms": _MS,
    "pymerkle_inclusion_ms": None,
    "trees": {"batch": 1_000, "us_per_leaf": {"100000": 8.0, "100000000": 8.4}, "ratio": 1.05},
    "pymerkle": None,
    "postgresql": {"fsync": "on"},
    "rate_per_s": 1_000,
    "seconds": 60,
    "batch_age_ms": 50,
    "checkpoint_interval_ms": 100,
    "proof_size": 1_200_000,
}
VERIFY: dict[str, Any] = {
    "name": "verify",
    "segments": 1_000,
    "segment_bytes_mean": 725,
    "layouts": {
        "spread_over_100000": {
            "verify_ms": 130.0,
            "bare_ms": 100.0,
            "ratio": 1.3,
            "evidence_bytes": 920_000,
            "larger_percent": 1.234,
        }
    },
}


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_appends_stand_beside_bare_hashing() -> None:
    text = "\n".join(sections({"ledger": LEDGER}))

    rows = _rows(text)
    assert ["PostgreSQL, 10,000 at a time", "120,000", "0.25"] in rows
    assert ["directory of tiles, synced", "96,000", "0.20"] in rows
    assert ["bare hashing, not kept", "480,000", "1.00"] in rows
    assert "8.0 µs in a tree of 100,000, 8.4 µs in a tree of 100,000,000 (ratio 1.05)" in text


def test_a_peer_that_is_not_installed_is_a_dash() -> None:
    rows = _rows("\n".join(sections({"ledger": LEDGER})))

    assert ["aics-tlog's directory, 256 at a time", "–", "–"] in rows
    assert ["pymerkle in SQLite, in one go", "–", "–"] in rows
    assert ["the same in pymerkle", "–", "–", "–", "–"] in rows


def test_a_leaf_that_was_never_published_shows() -> None:
    rows = _rows("\n".join(sections({"ledger": LEDGER})))

    assert ["from a leaf to a published checkpoint", "1.2", "2.0", "3.0", "never"] in rows


def test_evidence_is_shown_by_where_the_trip_s_leaves_lie() -> None:
    text = "\n".join(sections({"verify": VERIFY}))

    assert text.startswith("## Verify")
    assert ["spread over 100000", "130.0", "100.0", "1.30", "920,000", "1.23 %"] in _rows(text)
