"""Segments: each rule of the payload, broken alone, is refused; whatever is sealed is read back."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import limits
from schemas.columns import Column, encode_column
from schemas.cose import cbor, sign1
from schemas.cose.keys import SoftwareSigner
from schemas.deflated import deflate
from schemas.errors import StatementRefused
from schemas.samples import Block, sample_offsets_ms
from schemas.segment import Segment, SegmentEvent, encode_segment, read_segment_strict, seal_segment
from tests.vectors.statements_generator import segment

SIGNER = SoftwareSigner.generate()


def payload_with(change: Callable[[dict[int, Any]], object]) -> bytes:
    fields = cbor.decode(encode_segment(segment()))
    change(fields)
    return cbor2.dumps(dict(sorted(fields.items())))


def samples(n: object, time: object, columns: object) -> Callable[[dict[int, Any]], object]:
    block = cbor2.dumps([n, time, columns])
    return lambda fields: fields.update({6: deflate(block)})


def item(values: list[int | None]) -> list[object]:
    column = encode_column(values)
    assert column is not None
    return raw_item(column)


def raw_item(column: Column) -> list[object]:
    return [column.first, cbor2.CBORTag({1: 72, 2: 77, 4: 78, 8: 79}[column.width], column.deltas)]


def bursts(*items: object) -> Callable[[dict[int, Any]], object]:
    return lambda fields: fields.update({11: deflate(cbor2.dumps(list(items)))})


BROKEN: dict[str, Callable[[dict[int, Any]], object]] = {
    "another version": lambda f: f.update({1: 2}),
    "boot of 9 bytes": lambda f: f.update({2: bytes(9)}),
    "boot as text": lambda f: f.update({2: "bootboot"}),
    "negative seq": lambda f: f.update({3: -1}),
    "seq as a boolean": lambda f: f.update({3: False}),
    "prev of 33 bytes": lambda f: f.update({4: bytes(33)}),
    "no prev after the first": lambda f: f.update({3: 1, 4: b""}),
    "t0 before 1970": lambda f: f.update({5: -1}),
    "t0 past the year 9999": lambda f: f.update({5: limits.TIME_MS_MAX + 1}),
    "samples not deflated": lambda f: f.update({6: b"plain"}),
    "samples as an array": lambda f: f.update({6: [1]}),
    "events missing": lambda f: f.pop(7),
    "an event of two items": lambda f: f.update({7: [[0, 1]]}),
    "a float in an event": lambda f: f.update({7: [[0, 1, {1: 1.5}]]}),
    "a text key in an event": lambda f: f.update({7: [[0, 1, {"a": 1}]]}),
    "a list in an event": lambda f: f.update({7: [[0, 1, {1: [1]}]]}),
    "too many events": lambda f: f.update({7: [[0, 1, {}]] * (limits.EVENTS_MAX + 1)}),
    "too much detail": lambda f: f.update({7: [[0, 1, {1: bytes(4_096)}]]}),
    "an unknown clock": lambda f: f.update({8: [4, 0]}),
    "a clock of one item": lambda f: f.update({8: [3]}),
    "a salt of 17 bytes": lambda f: f.update({9: bytes(17)}),
    "no raw digests": lambda f: f.update({10: []}),
    "a raw digest of 31 bytes": lambda f: f.update({10: [bytes(31)]}),
    "mono missing": lambda f: f.pop(12),
    "flags of 0": lambda f: f.update({13: 0}),
    "an unknown flag": lambda f: f.update({13: 8}),
    "an unknown class": lambda f: f.update({14: 2}),
    "an unknown key": lambda f: f.update({15: 0}),
    "no samples": samples(0, 1_000, {}),
    "too many samples": samples(limits.SAMPLES_MAX + 1, 1_000, {}),
    "a step of 0": samples(2, 0, {1: item([1, 2])}),
    "a step that is negative": samples(2, -1, {1: item([1, 2])}),
    "a single sample with another step": samples(1, 2_000, {1: item([1])}),
    "two samples with offsets": samples(2, item([0, 5]), {1: item([1, 2])}),
    "offsets that are regular": samples(3, item([0, 5, 10]), {1: item([1, 2, 3])}),
    "offsets not from 0": samples(3, item([1, 5, 11]), {1: item([1, 2, 3])}),
    "an offset missing": samples(3, item([0, None, 11]), {1: item([1, 2, 3])}),
    "an offset twice": samples(4, item([0, 5, 5, 11]), {1: item([1, 2, 3, 4])}),
    "columns as an array": samples(1, 1_000, [item([1])]),
    "too many signals": samples(1, 1_000, {i: item([1]) for i in range(129)}),
    "a negative signal id": samples(1, 1_000, {-1: item([1])}),
    "a column of one item": samples(1, 1_000, {1: [1]}),
    "a first value past 64 bits": samples(1, 1_000, {1: raw_item(Column(2**63, 1, b"\0"))}),
    "an array of another kind": samples(1, 1_000, {1: [1, cbor2.CBORTag(64, b"\0")]}),
    "an array without a tag": samples(1, 1_000, {1: [1, b"\0"]}),
    "a column too short": samples(3, 1_000, {1: item([1, 2])}),
    "a column of missing values": samples(1, 1_000, {1: raw_item(Column(1, 1, b"\x80"))}),
    "a column too wide": samples(1, 1_000, {1: raw_item(Column(1, 2, b"\0\0"))}),
    "a first delta that is not 0": samples(1, 1_000, {1: raw_item(Column(1, 1, b"\x01"))}),
    "a value past 64 bits": samples(2, 1_000, {1: raw_item(Column(2**63 - 1, 1, bytes([0, 1])))}),
    "an empty list of bursts": bursts(),
    "a burst of step 0": bursts([0, 0, 1, {1: item([1])}]),
    "a burst without samples": bursts([0, 100, 0, {}]),
    "a burst with a column too short": bursts([0, 100, 2, {1: item([1])}]),
    "a burst with a column too wide": bursts([0, 100, 1, {1: raw_item(Column(1, 2, b"\0\0"))}]),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_each_broken_rule_is_refused(change: Callable[[dict[int, Any]], object]) -> None:
    with pytest.raises(StatementRefused):
        read_segment_strict(payload_with(change))


def test_the_unbroken_payload_is_read() -> None:
    assert read_segment_strict(payload_with(lambda fields: None)) == segment()


def test_keys_6_and_11_share_one_limit_when_inflated() -> None:
    half = [2_500, 1_000, {i: raw_item(Column(0, 1, bytes(2_500))) for i in range(14)}]
    burst = [0, 100, 2_500, {i: raw_item(Column(0, 1, bytes(2_500))) for i in range(14)}]

    def change(fields: dict[int, Any]) -> None:
        fields.update({6: deflate(cbor2.dumps(half)), 11: deflate(cbor2.dumps([burst]))})

    with pytest.raises(StatementRefused, match="too-large"):
        read_segment_strict(payload_with(change))


def test_the_limits_themselves_are_allowed() -> None:
    events = tuple(SegmentEvent(0, 1) for _ in range(limits.EVENTS_MAX))
    columns = {1: Column(0, 1, bytes(limits.SAMPLES_MAX))}
    full = Segment(
        boot=bytes(8),
        seq=0,
        prev=bytes(32),
        t0=limits.TIME_MS_MAX,
        block=Block(limits.SAMPLES_MAX, 1_000, None, columns),
        events=events,
        clock=(0, 0),
        salt=bytes(16),
        mono=0,
    )

    assert read_segment_strict(encode_segment(full)) == full


columns_of = st.dictionaries(
    st.integers(0, 200),
    st.lists(st.none() | st.integers(-(2**31), 2**31), min_size=6, max_size=6),
    max_size=8,
)
steps = st.lists(st.integers(1, 5_000), min_size=5, max_size=5)


@given(columns_of, steps, st.integers(0, 7), st.booleans())
def test_whatever_is_sealed_is_read_back(
    columns: dict[int, list[int | None]], intervals: list[int], flags: int, driver: bool
) -> None:
    offsets = [sum(intervals[:i]) for i in range(6)]
    regular = len(set(intervals)) == 1
    encoded = {signal: encode_column(values) for signal, values in columns.items()}
    block = Block(
        6,
        intervals[0] if regular else None,
        None if regular else encode_column(list(offsets)),
        {signal: column for signal, column in encoded.items() if column is not None},
    )
    made = Segment(
        boot=bytes(8),
        seq=3,
        prev=bytes(32),
        t0=0,
        block=block,
        events=(),
        clock=(1, 5_000),
        salt=bytes(16),
        mono=0,
        flags=flags,
        driver_class=driver,
    )
    sealed = seal_segment(made, SIGNER, issuer="hp:a/b", vehicle="v", origin="o")
    statement = sign1.parse(sealed.raw)
    read = read_segment_strict(statement.payload)

    assert read == made
    assert statement.digest == sealed.digest
    assert sample_offsets_ms(read.block) == offsets


@given(st.binary(max_size=300))
def test_no_payload_raises_anything_but_a_refusal(data: bytes) -> None:
    with pytest.raises(StatementRefused):
        read_segment_strict(data)
