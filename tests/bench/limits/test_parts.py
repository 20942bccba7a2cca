import pytest

from haulproof.bench.limits.parts import BarePart, summed


def test_part_costs_what_its_processes_cost_together() -> None:
    assert BarePart(20_000, 2).us == pytest.approx(100)
    assert BarePart(10_000, 1).us == pytest.approx(100)


def test_sum_is_held_against_the_cores_that_would_share_it() -> None:
    parts = {"verify": BarePart(20_000, 2), "leaf": BarePart(10_000, 1)}

    assert summed(parts, 5_000, cores=2) == {
        "verify_us": 100.0,
        "leaf_us": 100.0,
        "sum_us": 200.0,
        "limit_per_s": 10_000.0,
        "ratio": 0.5,
    }
