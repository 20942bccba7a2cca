import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sampler import Sample, Sampler
from schemas.catalogue import Signal


def signal(signal_id: int, rule: str = "last", fresh_ms: int = 2_000) -> Signal:
    return Signal(
        signal_id, f"Test.S{signal_id}", "", Fraction(1), "int4", rule, fresh_ms, None, False, ()
    )


CATALOGUE = {
    1: signal(1),
    2: signal(2, "mean"),
    3: signal(3, "max"),
    4: signal(4, "counter", 10_000),
}

READINGS = st.lists(
    st.tuples(st.sampled_from(list(CATALOGUE)), st.integers(1, 20_000), st.integers(-99, 99)),
    unique_by=lambda reading: (reading[0], reading[1]),
    max_size=60,
)


def samples_of(
    readings: list[tuple[int, int, int]], catalogue: dict[int, Signal] = CATALOGUE
) -> list[Sample]:
    """Samples of the first 30 seconds; readings come a second before they are needed at most."""
    sampler = Sampler(catalogue)
    samples = []
    for second in range(1, 31):
        for signal_id, at_ms, value in readings:
            if second - 1 <= (at_ms - 1) // 1_000 < second:
                assert sampler.offer(signal_id, at_ms, value)
        sample = sampler.tick(second)
        if sample is not None:
            samples.append(sample)
    assert sampler.late == 0
    return samples


@given(READINGS, st.randoms(use_true_random=False))
def test_the_order_within_a_second_changes_nothing(
    readings: list[tuple[int, int, int]], shuffler: random.Random
) -> None:
    shuffled = list(readings)
    shuffler.shuffle(shuffled)

    assert samples_of(shuffled) == samples_of(readings)


@given(READINGS)
def test_a_value_is_sampled_only_while_it_is_fresh(readings: list[tuple[int, int, int]]) -> None:
    sampled = {(s.t_ms, i) for s in samples_of(readings) for i in s.cells}
    heard = {
        (second * 1_000, i)
        for second in range(1, 31)
        for i, at_ms, _ in readings
        if 0 <= second * 1_000 - at_ms <= CATALOGUE[i].fresh_ms
    }

    assert sampled == heard


@given(READINGS)
def test_the_last_value_of_a_second_is_its_sample(readings: list[tuple[int, int, int]]) -> None:
    for sample in samples_of(readings):
        if 1 in sample.cells:
            newest = max((at, v) for i, at, v in readings if i == 1 and at <= sample.t_ms)
            assert sample.cells[1] == newest[1]


@given(READINGS)
def test_splitting_a_drive_in_two_starts_gives_the_same_samples_but_for_memory(
    readings: list[tuple[int, int, int]],
) -> None:
    forgetful = {i: signal(i, s.rule, 0) for i, s in CATALOGUE.items()}
    early = [r for r in readings if r[1] <= 10_000]
    late = [r for r in readings if r[1] > 10_000]

    assert samples_of(readings, forgetful) == samples_of(early, forgetful) + samples_of(
        late, forgetful
    )


def test_a_reading_on_the_second_belongs_to_it_and_one_after_it_to_the_next() -> None:
    assert samples_of([(1, 5_000, 7)], {1: signal(1, fresh_ms=0)}) == [Sample(5_000, {1: 7})]
    assert samples_of([(4, 5_001, 7)])[0].t_ms == 6_000


def test_the_rules_of_the_catalogue_decide_which_value_of_a_second_counts() -> None:
    readings = [(i, at, v) for i in CATALOGUE for at, v in ((4_100, 10), (4_200, 40), (4_300, 10))]

    assert samples_of(readings)[0].cells == {1: 10, 2: 20, 3: 40, 4: 10}


def test_a_late_reading_changes_no_sample_that_was_told_but_may_be_the_newest_known() -> None:
    sampler = Sampler(CATALOGUE)
    sampler.offer(1, 4_500, 1)
    sampler.tick(5)

    assert not sampler.offer(1, 4_600, 2)
    assert not sampler.offer(1, 4_400, 3)
    assert sampler.late == 2
    assert sampler.tick(6) == Sample(6_000, {1: 2})


def test_a_reading_far_ahead_is_not_kept() -> None:
    sampler = Sampler(CATALOGUE)
    sampler.offer(1, 4_500, 1)
    sampler.tick(5)

    assert not sampler.offer(1, 4_500 + 86_400_000, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300])
def test_values_that_no_vehicle_has_are_counted(value: float) -> None:
    sampler = Sampler(CATALOGUE)
    sampler.offer(1, 4_500, value)

    assert sampler.tick(5) is None
    assert sampler.out_of_range == 1


def test_a_second_is_sampled_once() -> None:
    sampler = Sampler(CATALOGUE)
    sampler.tick(5)

    with pytest.raises(ValueError, match="ascending"):
        sampler.tick(5)


def test_a_corrected_clock_moves_what_was_heard() -> None:
    sampler = Sampler(CATALOGUE)
    sampler.offer(1, 4_500, 3)
    sampler.tick(5)
    sampler.offer(1, 5_500, 4)
    sampler.shift(-1_000_000)

    assert sampler.tick(-994) == Sample(-994_000, {1: 4})
