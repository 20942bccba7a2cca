"""The smallest run of each bench, on a real exchange: it ends, and its figures hang together.

Nothing here is a threshold: how fast a machine is, is no matter of tests.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SMALLEST = ("--devices", "6", "--seconds", "1", "--warm-up", "60", "--json")


def bench(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "haulproof", "bench", *words, *SMALLEST],
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
