"""Columns: what goes in comes out, in the narrowest array, and nothing else decodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.columns import Column, decode_column, encode_column, missing_of
from schemas.errors import StatementRefused

values = st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=200)


@given(values)
def test_values_survive_encoding(items: list[int | None]) -> None:
    column = encode_column(items)

    if column is None:
        assert all(item is None for item in items)
    else:
        assert decode_column(column, len(items)) == items


@given(st.integers(1, 100), st.sampled_from([1, 2, 4, 8]), st.data())
def test_bytes_either_decode_to_what_encodes_to_them_or_are_refused(
    n: int, width: int, data: st.DataObject
) -> None:
    deltas = data.draw(st.binary(min_size=n * width, max_size=n * width))
    first = data.draw(st.integers(-(2**63), 2**63 - 1))
    column = Column(first, width, deltas)
    try:
        restored = decode_column(column, n)
    except StatementRefused:
        return

    assert encode_column(restored) == column


@pytest.mark.parametrize(("step", "width"), [(127, 1), (-127, 1), (128, 2), (-128, 2), (2**31, 8)])
def test_the_array_is_as_narrow_as_the_largest_step_allows(step: int, width: int) -> None:
    column = encode_column([0, step])

    assert column is not None
    assert column.width == width


def test_a_signal_without_a_value_has_no_column() -> None:
    assert encode_column([None, None]) is None


@pytest.mark.parametrize("items", [[2**63], [-(2**63) - 1], [-(2**63), 2**63 - 1]])
def test_what_does_not_fit_64_bits_is_not_encoded(items: list[int | None]) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode_column(items)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(StatementRefused, match="one delta per sample"):
        decode_column(Column(0, 1, bytes(3)), 4)


def test_the_minimum_of_the_type_means_missing() -> None:
    column = encode_column([5, None, 6])

    assert column is not None
    assert int.from_bytes(column.deltas[1:2], "little", signed=True) == missing_of(1)
