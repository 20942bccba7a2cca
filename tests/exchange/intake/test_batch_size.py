"""A batch is as large as a quarter of a second allows, on a slow machine as on a fast one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.intake.batch_size import AGE_S_MAX, TARGET_S, BatchSize

AGE_S = 0.05


@pytest.mark.parametrize("per_second", [1_000, 5_000, 20_000])
def test_batches_settle_near_the_time_that_is_meant(per_second: int) -> None:
    size = BatchSize(100_000, AGE_S)

    for _ in range(40):
        size.took(size.messages, size.messages / per_second)

    assert TARGET_S / 2 <= size.messages / per_second <= TARGET_S


def test_a_batch_that_was_not_full_says_nothing_of_larger_ones() -> None:
    size = BatchSize(2_000, AGE_S)
    before = size.messages

    size.took(3, 0.001)

    assert size.messages == before


def test_a_machine_that_becomes_slow_gets_small_batches_at_once_and_large_ones_again() -> None:
    size = BatchSize(2_000, AGE_S)
    for _ in range(10):
        size.took(size.messages, 0.01)
    assert size.messages == 2_000

    size.took(2_000, 5.0)
    assert size.messages == 100

    for _ in range(10):
        size.took(size.messages, 0.01)
    assert size.messages == 2_000


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 1e6, allow_nan=False))),
)
def test_no_measurement_leads_out_of_bounds(
    messages_max: int, batches: list[tuple[int, float]]
) -> None:
    size = BatchSize(messages_max, AGE_S)

    for messages, seconds in batches:
        size.took(messages, seconds)
        assert 1 <= size.messages <= messages_max
        assert AGE_S <= size.age_s <= AGE_S_MAX


def test_a_worker_that_is_busy_collects_for_longer_and_an_idle_one_does_not() -> None:
    size = BatchSize(2_000, AGE_S)

    size.took(5, 0.004)
    assert size.age_s == AGE_S

    size.took(60, 0.03)
    assert size.age_s == pytest.approx(0.12)

    size.took(5, 0.004)
    assert size.age_s == AGE_S


def test_a_longer_age_that_was_asked_for_stays() -> None:
    size = BatchSize(2_000, 5.0)

    size.took(60, 0.03)

    assert size.age_s == 5.0
