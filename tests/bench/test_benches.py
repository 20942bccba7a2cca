"""The smallest run of each bench, on a real exchange: it ends, and its figures hang together.

Nothing here is a threshold: how fast a machine is, is no matter of tests.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SMALLEST = ("--devices", "6", "--warm-up", "60")


def bench(*words: str, fleet: Sequence[str] = SMALLEST) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "haulproof", "bench", *words, *fleet, "--seconds", "1", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_intake_is_held_against_bare_parts_and_a_plain_consumer() -> None:
    told = bench("intake", "--segments", "600")
    parts = told["bare_parts"]

    assert told["segments"] == 600
    assert told["segments_per_s"] > 0
    assert told["ratio"] == pytest.approx(told["segments_per_s"] / told["verify_per_s"], abs=1e-3)
    assert parts["sum_us"] == pytest.approx(
        sum(parts[f"{name}_us"] for name in ("verify", "broker_hop", "copy", "leaf")), abs=0.5
    )
    assert parts["limit_per_s"] == pytest.approx(told["cores"] / parts["sum_us"] * 1e6, rel=0.01)
    assert told["plain_consumer"]["segments_per_s"] > 0
    assert told["segments_per_receipt_message"] >= 1
    assert {"intake", "nats", "postgres", "signer"} <= set(told["cpu_us_per_segment"])
    assert [held["segments"] for held in told["rss_mb"]] == [0, 600]
    assert all(held["intake"] > 0 for held in told["rss_mb"])
    assert told["postgresql"] == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
    }


def test_latency_is_that_of_receipts_whose_leaves_are_in_the_log() -> None:
    told = bench("latency", "--rate", "60")

    assert told["rate_per_s"] == 60
    assert told["receipt_ms"]["count"] == told["segments"] > 0
    assert (told["without_receipt"], told["without_leaf"]) == (0, 0)
    assert told["receipt_ms"]["p50"] <= told["receipt_ms"]["p99"] <= told["receipt_ms"]["max"]
    assert told["broker_echo_ms"]["count"] == told["commit_ms"]["count"] > 0


def test_overload_loses_nothing_that_was_acknowledged() -> None:
    told = bench("overload")

    for load in (told["fleet"], told["noisy"]):
        assert load["acknowledged_lost"] == 0
        assert load["receipts"] + load["without_receipt"] == load["segments_sent"] > 0
        assert 0 <= load["quiet_share"] <= 1
        assert load["stream_bytes_peak"] <= told["stream_bytes_max"]


def test_ledger_is_held_against_bare_hashing_and_every_leaf_is_published() -> None:
    told = bench("ledger", "--leaves", "20000", fleet=())

    assert told["leaves"] == 20_000
    assert told["ratio"] == pytest.approx(told["leaves_per_s"] / told["hashing_per_s"], abs=1e-3)
    assert set(told["leaves_per_s_by_batch"]) == {"10000", "2000", "256"}
    assert told["proof_size"] == 20_000 + 2 * 2_000
    assert told["append_to_checkpoint_ms"]["count"] == 1_000
    assert told["append_to_checkpoint_ms_p99"] == told["append_to_checkpoint_ms"]["p99"] > 0
    assert told["directory_leaves_per_s"] > 0
    assert set(told["trees"]["us_per_leaf"]) == {"100000", "100000000"}
    assert told["postgresql"]["synchronous_commit"] == "on"


def test_verify_is_held_against_bare_verification_and_the_least_bytes() -> None:
    told = bench("verify", "--segments", "40", fleet=())
    layouts = told["layouts"]

    assert list(layouts) == ["contiguous", "spread_over_100000", "spread_over_10000000"]
    assert told["ratio"] == max(one["ratio"] for one in layouts.values()) > 0
    for one in layouts.values():
        least = one["segments_bytes"] + one["multiproof_bytes"]
        assert one["evidence_bytes"] > least
        assert one["larger_percent"] == pytest.approx(
            (one["evidence_bytes"] / least - 1) * 100, abs=1e-2
        )
    assert (
        layouts["contiguous"]["multiproof_bytes"]
        < layouts["spread_over_100000"]["multiproof_bytes"]
    )
