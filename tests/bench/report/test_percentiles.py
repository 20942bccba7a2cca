import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulproof.bench.report.percentiles import in_ms, percentile

SECONDS = st.floats(min_value=0, max_value=1e6)


def test_percentile_is_the_value_of_the_nearest_rank() -> None:
    ordered = [15.0, 20.0, 35.0, 40.0, 50.0]

    assert [percentile(ordered, percent) for percent in (5, 30, 40, 50, 100)] == [
        15.0,
        20.0,
        20.0,
        35.0,
        50.0,
    ]


@given(values=st.lists(SECONDS, min_size=1), percent=st.floats(min_value=0.01, max_value=100))
def test_percentile_was_measured_and_is_reached_by_its_share(
    values: list[float], percent: float
) -> None:
    found = percentile(sorted(values), percent)

    assert found in values
    assert sum(value <= found for value in values) >= math.floor(len(values) * percent / 100)
    assert sum(value < found for value in values) < max(1, len(values) * percent / 100)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_percentile_of_nothing_or_out_of_range_is_refused(
    values: list[float], percent: float
) -> None:
    with pytest.raises(ValueError, match="a percentile needs values"):
        percentile(values, percent)


def test_figures_are_in_milliseconds() -> None:
    told = in_ms([0.001 * n for n in range(1, 101)])

    assert told == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0, "count": 100}


def test_what_never_came_is_later_than_everything_that_did() -> None:
    told = in_ms([0.001] * 97 + [None] * 3)

    assert told == {"p50": 1.0, "p95": 1.0, "p99": None, "max": None, "count": 100}


def test_nothing_measured_has_no_percentiles() -> None:
    assert in_ms([]) == {"p50": None, "p95": None, "p99": None, "max": None, "count": 0}
