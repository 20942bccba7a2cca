"""Batch decoding by numpy follows the rules of ``schemas.columns``, column by column."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.derive import columns as batch
from schemas import columns as plain
from schemas.columns import Column
from schemas.cose import sign1
from schemas.errors import StatementRefused
from schemas.limits import INT64_MAX, INT64_MIN
from schemas.samples import Block, Burst, sample_offsets_ms
from schemas.segment import read_segment

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "haulproof" / "segments.json").read_text()
)
GOOD = VECTORS["good"]
INT64 = st.integers(INT64_MIN, INT64_MAX)
SMALL = st.integers(-300, 300)


@st.composite
def valid_columns(draw: st.DrawFn) -> tuple[list[int | None], Column]:
    scale = draw(st.sampled_from([1, 200, 40_000, 3_000_000_000]))
    values = draw(st.lists(st.none() | SMALL.map(lambda v: v * scale), min_size=1, max_size=40))
    values[draw(st.integers(0, len(values) - 1))] = draw(SMALL)
    column = plain.encode_column(values)
    assert column is not None
    return values, column


@st.composite
def any_columns(draw: st.DrawFn) -> tuple[int, Column]:
    width = draw(st.sampled_from([1, 2, 4, 8]))
    half = 1 << (8 * width - 1)
    edges = st.sampled_from([-half, -half + 1, half - 1, 0, 1, -1, half // 256, -(half // 256)])
    items = draw(st.lists(edges | st.integers(-half, half - 1), min_size=1, max_size=8))
    if draw(st.booleans()):
        items[0] = 0
    deltas = b"".join(item.to_bytes(width, "little", signed=True) for item in items)
    first = draw(st.sampled_from([0, 5, INT64_MIN, INT64_MAX, INT64_MAX - 300]) | INT64)
    return len(items), Column(first, width, deltas)


def values_of(values: batch.Int64s, present: batch.Flags) -> list[int | None]:
    return [int(value) if there else None for value, there in zip(values, present, strict=True)]


def plainly(column: Column, n: int) -> list[int | None] | None:
    try:
        return plain.decode_column(column, n)
    except StatementRefused:
        return None


@given(st.lists(valid_columns(), max_size=12))
def test_what_the_truck_encodes_is_decoded_to_the_same_values(
    given: list[tuple[list[int | None], Column]],
) -> None:
    decoded = batch.decode_columns(
        [column for _, column in given], [len(values) for values, _ in given]
    )

    assert decoded.good.all()
    assert [values_of(*decoded.column(c)) for c in range(len(given))] == [v for v, _ in given]


@given(st.lists(any_columns(), max_size=8))
def test_a_batch_is_judged_like_each_column_by_itself(given: list[tuple[int, Column]]) -> None:
    decoded = batch.decode_columns([column for _, column in given], [n for n, _ in given])

    for place, (n, column) in enumerate(given):
        expected = plainly(column, n)
        assert bool(decoded.good[place]) == (expected is not None)
        if expected is not None:
            assert values_of(*decoded.column(place)) == expected


def test_a_column_of_another_length_spoils_only_itself() -> None:
    short, good = Column(1, 2, b"\0"), Column(7, 1, b"\0\1")

    decoded = batch.decode_columns([short, good, Column(INT64_MAX + 1, 1, b"\0\0")], [2, 2, 2])

    assert decoded.good.tolist() == [False, True, False]
    assert values_of(*decoded.column(1)) == [7, 8]


@pytest.mark.parametrize("vector", GOOD, ids=[v["name"] for v in GOOD])
def test_good_reference_vectors_have_their_values(vector: dict[str, object]) -> None:
    segment = read_segment(sign1.parse(bytes.fromhex(str(vector["statement"]))).payload)

    times, signals = batch.decode(segment.block)

    assert times.tolist() == vector["offsets_ms"]
    assert {str(s): values_of(*found) for s, found in signals.items()} == vector["signals"]
    for burst in segment.bursts:
        assert batch.decode(burst)[0][0] == burst.offset_ms


def test_what_plain_reading_leaves_to_numpy_is_refused_by_numpy() -> None:
    judged = 0
    for vector in VECTORS["refused"]:
        try:
            segment = read_segment(sign1.parse(bytes.fromhex(vector["statement"])).payload)
        except StatementRefused:
            continue
        if plain_refuses(segment.block):
            judged += 1
            with pytest.raises(StatementRefused):
                batch.decode(segment.block)

    assert judged >= 7


def plain_refuses(block: Block) -> bool:
    try:
        sample_offsets_ms(block)
        for column in block.columns.values():
            plain.decode_column(column, block.n)
    except StatementRefused:
        return True
    return False


@given(st.lists(st.integers(0, 5) | INT64, min_size=3, max_size=6))
def test_times_are_judged_as_the_truck_judges_them(times: list[int]) -> None:
    try:
        column = plain.encode_column(times)
    except ValueError:
        return
    block = Block(len(times), None, column, {})

    try:
        expected = sample_offsets_ms(block)
    except StatementRefused:
        with pytest.raises(StatementRefused):
            batch.block_times_ms(block)
    else:
        assert batch.block_times_ms(block).tolist() == expected


def test_a_burst_has_times_of_its_own() -> None:
    column = plain.encode_column([5, None, 7])
    assert column is not None

    times, signals = batch.decode(Burst(-20_000, 100, 3, {4: column}))

    assert times.tolist() == [-20_000, -19_900, -19_800]
    assert values_of(*signals[4]) == [5, None, 7]


def test_copy_fields_hold_null_for_missing_and_for_what_does_not_fit() -> None:
    encoded = [plain.encode_column(v) for v in ([1, None, 40_000], [-7, 8])]
    decoded = batch.decode_columns([c for c in encoded if c is not None], [3, 2])

    made = batch.copy_fields(decoded, 2, 32_767)

    assert made.unstored.tolist() == [1, 0]
    assert made.fields[0] == bytes.fromhex(
        "00000022 00000001 00000001 00000015 00000003 00000001 000000020001 ffffffff ffffffff"
    )
    assert made.fields[1] == bytes.fromhex(
        "00000020 00000001 00000000 00000015 00000002 00000001 00000002fff9 000000020008"
    )


def test_no_columns_are_an_empty_batch() -> None:
    decoded = batch.decode_columns([], [])

    assert decoded.good.shape == (0,)
    assert batch.copy_fields(decoded, 4).fields == []
    assert decoded.values.dtype == np.int64
