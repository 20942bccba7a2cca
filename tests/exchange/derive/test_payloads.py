"""A batch of payloads is read as each of them is by itself, whatever its bytes."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.derive import payloads as batch
from exchange.derive.blocks import TIME
from exchange.derive.columns import PackedColumns
from schemas.columns import Column, encode_column
from schemas.cose import sign1
from schemas.errors import StatementRefused
from schemas.limits import INT64_MAX, SEQ_MAX, TIME_MS_MAX
from schemas.samples import Block, Burst, encode_block
from schemas.segment import Segment, SegmentEvent, encode_segment, read_segment

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "haulproof" / "segments.json").read_text()
)
BLOCK = Block(3, 1_000, None, {1: Column(7, 1, b"\0\1\2"), 4: Column(-300, 2, bytes(6))})
PLAIN = Segment(b"bootboot", 3, bytes(32), 1_000, BLOCK, (), (3, 20), bytes(16), 5)
WITH_BURST = replace(PLAIN, bursts=(Burst(-100, 100, 3, {1: BLOCK.columns[1]}),))


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    n = draw(st.integers(1, 5) | st.just(60))
    irregular = n >= 3 and draw(st.booleans())
    offsets = encode_column([0, 10, *range(30, 30 + n - 2)]) if irregular else None
    step = 1_000 if n == 1 else draw(st.sampled_from([1, 100, 1_000, TIME_MS_MAX]))
    signals = draw(st.sets(st.integers(0, 60) | st.sampled_from([300, 70_000, INT64_MAX])))
    column = st.builds(
        lambda first, width: Column(first, width, bytes(width * n)),
        st.sampled_from([0, 23, 24, -24, -25, 255, 65_536, -(2**40), INT64_MAX]),
        st.sampled_from([1, 2, 4, 8]),
    )
    return Block(n, None if offsets else step, offsets, {s: draw(column) for s in sorted(signals)})


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    seq = draw(st.sampled_from([0, 1, 23, 24, 1_000, SEQ_MAX]))
    events = draw(st.sampled_from([(), (), (SegmentEvent(5, 2, {1: "VIN"}),)]))
    return Segment(
        boot=draw(st.binary(min_size=8, max_size=8)),
        seq=seq,
        prev=b"" if seq == 0 and draw(st.booleans()) else bytes(32),
        t0=draw(st.sampled_from([0, 1_700_000_000_000, TIME_MS_MAX])),
        block=draw(blocks()),
        events=events,
        clock=(draw(st.integers(0, 3)), draw(st.sampled_from([0, 300, INT64_MAX]))),
        salt=bytes(16),
        mono=draw(st.integers(0, INT64_MAX)),
        bursts=draw(st.sampled_from([(), (), WITH_BURST.bursts])),
        flags=draw(st.integers(0, 7)),
        driver_class=draw(st.booleans()),
    )


Read = tuple[bytes, int, int, int, int, int, bool, dict[int, Column], list[Column]]


def one_by_one(payload: bytes) -> Read | str:
    try:
        found = read_segment(payload)
    except StatementRefused as refusal:
        return refusal.detail
    columns = dict(found.block.columns)
    if found.block.offsets is not None:
        columns[TIME] = found.block.offsets
    return (
        *(found.boot, found.seq, found.t0, found.block.n, found.block.step_ms or 0),
        *(found.flags, found.driver_class, columns),
        [column for burst in found.bursts for column in burst.columns.values()],
    )


def in_a_batch(payloads: Sequence[bytes]) -> list[Read | str]:
    found = batch.read_payloads(payloads)
    columns: list[dict[int, Column]] = [{} for _ in payloads]
    for c, (row, signal) in enumerate(zip(found.rows, found.signals, strict=True)):
        assert int(signal) not in columns[row]
        columns[row][int(signal)] = column_of(found.columns, c)
    bursts: list[list[Column]] = [[] for _ in payloads]
    for c, row in enumerate(found.burst_rows):
        bursts[row].append(column_of(found.bursts, c))
    return [
        found.refused[row].detail
        if row in found.refused
        else (
            *(found.boots[row], int(found.seqs[row]), int(found.t0[row])),
            *(int(found.n[row]), int(found.step_ms[row]), int(found.flags[row])),
            *(bool(found.driver_class[row]), columns[row], bursts[row]),
        )
        for row in range(len(payloads))
    ]


def column_of(packed: PackedColumns, c: int) -> Column:
    start, width = int(packed.starts[c]), int(packed.widths[c])
    deltas = packed.data[start : start + width * int(packed.counts[c])]
    return Column(int(packed.firsts[c]), width, deltas)


@given(st.lists(segments(), max_size=6))
def test_what_trucks_encode_is_read_the_same(sealed: list[Segment]) -> None:
    payloads = [encode_segment(segment) for segment in sealed]

    assert in_a_batch(payloads) == [one_by_one(payload) for payload in payloads]


@given(st.data())
def test_a_changed_byte_is_judged_the_same_and_spoils_no_neighbour(data: st.DataObject) -> None:
    good = encode_segment(data.draw(segments()))
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))

    assert in_a_batch([good, bytes(changed), good]) == [
        one_by_one(payload) for payload in (good, bytes(changed), good)
    ]


@given(st.data())
def test_a_changed_byte_inside_the_samples_is_judged_the_same(data: st.DataObject) -> None:
    inflated = bytearray(encode_block(data.draw(blocks())))
    for _ in range(data.draw(st.integers(1, 2))):
        inflated[data.draw(st.integers(0, len(inflated) - 1))] = data.draw(st.integers(0, 255))
    payload = with_samples(bytes(inflated))

    assert in_a_batch([payload]) == [one_by_one(payload)]


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bytes_are_refused_in_the_same_words(payloads: list[bytes]) -> None:
    assert in_a_batch(payloads) == [one_by_one(payload) for payload in payloads]


@pytest.mark.parametrize("cut", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b""])
def test_a_payload_or_block_of_another_length_is_refused(cut: Callable[[bytes], bytes]) -> None:
    good = encode_segment(PLAIN)
    block = encode_block(BLOCK)

    for payload in (cut(good), with_samples(cut(block))):
        (found,) = in_a_batch([payload])
        assert isinstance(found, str)
        assert found == one_by_one(payload)


@pytest.mark.parametrize("kind", ["good", "refused"])
def test_reference_vectors_are_read_the_same(kind: str) -> None:
    payloads = []
    for vector in VECTORS[kind]:
        try:
            payloads.append(sign1.parse(bytes.fromhex(vector["statement"])).payload)
        except StatementRefused:
            continue

    assert in_a_batch(payloads) == [one_by_one(payload) for payload in payloads]


def test_the_common_form_is_read_without_the_plain_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_payload: bytes) -> Segment:
        raise AssertionError("read one by one")

    monkeypatch.setattr(batch, "read_segment", refuse)
    irregular = replace(BLOCK, step_ms=None, offsets=Column(0, 1, b"\0\1\2"))
    driver = replace(PLAIN, flags=3, driver_class=True, block=irregular)

    found = batch.read_payloads([encode_segment(one) for one in (PLAIN, driver)])

    assert found.refused == {}
    assert found.driver_class.tolist() == [False, True]


def with_samples(inflated: bytes) -> bytes:
    fields = cbor2.loads(encode_segment(PLAIN))
    deflater = zlib.compressobj(wbits=-15)
    fields[6] = deflater.compress(inflated) + deflater.flush()
    return cbor2.dumps(fields)
