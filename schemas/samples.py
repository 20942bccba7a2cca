"""The samples of a segment, and its bursts: columns over n samples in one encoding (keys 6 and 11).

Their encoding is judged by its length. Every item read here has a type that is named, and the one
encoding of such an item is also its shortest; so keys in order and a length that is that of the
shortest encoding leave only one possible series of bytes (RFC 8949 section 4.2.1). This costs a
third of encoding again, and intake reads nothing more often than this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import cbor2

from schemas.columns import TAG_OF_WIDTH, WIDTH_OF_TAG, Column, decode_column
from schemas.cose import cbor
from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import INT64_MAX, INT64_MIN, SAMPLES_MAX, SIGNALS_MAX, TIME_MS_MAX

SINGLE_SAMPLE_STEP_MS = 1_000

_COLUMN_HEADS = 3
"""Bytes of a column that are always there: the array's head and the tag's."""


@dataclass(frozen=True, slots=True)
class Block:
    """The samples: n of them, at ``step_ms`` when regular, else at the offsets of a column."""

    n: int
    step_ms: int | None
    offsets: Column | None
    columns: Mapping[int, Column]


@dataclass(frozen=True, slots=True)
class Burst:
    """Fast samples around an event: n of them every ``step_ms``, the first at ``offset_ms``."""

    offset_ms: int
    step_ms: int
    n: int
    columns: Mapping[int, Column]


def encode_block(block: Block) -> bytes:
    """``[n, time, {signal id: column}]``, not yet deflated: what the sealer measures to cut."""
    time = block.step_ms if block.offsets is None else _column_item(block.offsets)
    return cbor.encode([block.n, time, _column_items(block.columns)])


def encode_bursts(bursts: tuple[Burst, ...]) -> bytes:
    """``[[offset, step, n, {signal id: column}]...]``, not yet deflated."""
    return cbor.encode(
        [[b.offset_ms, b.step_ms, b.n, _column_items(b.columns)] for b in bursts],
    )


def read_block(data: bytes) -> Block:
    """Read inflated samples without looking inside their columns; ``StatementRefused`` else."""
    n, time, columns = cbor.take_list(cbor.load(data), "the samples", 3)
    n = _take_count(n)
    step, offsets, time_bytes = _read_time(time, n)
    read, columns_bytes = _read_columns(columns, n)
    _require_length(data, 1 + cbor.head_bytes(n) + time_bytes + columns_bytes)
    return Block(n, step, offsets, read)


def read_bursts(data: bytes) -> tuple[Burst, ...]:
    """Read inflated bursts without looking inside their columns; ``StatementRefused`` else."""
    items = cbor.take_list(cbor.load(data), "bursts")
    if not items:
        raise malformed("an empty list of bursts is left out")
    length, bursts = cbor.head_bytes(len(items)), list[Burst]()
    for item in items:
        burst, burst_bytes = _read_burst(item)
        length += burst_bytes
        bursts.append(burst)
    _require_length(data, length)
    return tuple(bursts)


def sample_offsets_ms(block: Block) -> list[int]:
    """When each sample was taken, in ms after t0; ``StatementRefused`` when the series is wrong."""
    if block.offsets is None:
        return [i * (block.step_ms or SINGLE_SAMPLE_STEP_MS) for i in range(block.n)]
    offsets = decode_column(block.offsets, block.n)
    present = [offset for offset in offsets if offset is not None]
    steps = {later - earlier for earlier, later in pairwise(present)}
    if len(present) != block.n or present[0] != 0 or min(steps, default=0) < 1:
        raise malformed("the times of the samples do not ascend from 0")
    if len(steps) == 1:
        raise malformed("a regular series is written as offsets")
    return present


def take_offset(value: object) -> int:
    """A time in ms relative to t0, negative before it; ``StatementRefused`` otherwise."""
    if type(value) is not int or not -TIME_MS_MAX <= value <= TIME_MS_MAX:
        raise malformed("an offset is not a time in ms")
    return value


def _read_time(time: object, n: int) -> tuple[int | None, Column | None, int]:
    if type(time) is list:
        if n < 3:  # one interval is always regular
            raise malformed("a regular series is written as offsets")
        column, column_bytes = _read_column(time, n)
        return None, column, column_bytes
    step = cbor.take_uint(time, "the step", TIME_MS_MAX)
    if step < 1 or (n == 1 and step != SINGLE_SAMPLE_STEP_MS):
        raise malformed("the step is not at least 1 ms, or not 1000 ms for a single sample")
    return step, None, cbor.head_bytes(step)


def _read_burst(item: object) -> tuple[Burst, int]:
    offset, step, n, columns = cbor.take_list(item, "a burst", 4)
    n, offset = _take_count(n), take_offset(offset)
    step = cbor.take_uint(step, "the step of a burst", TIME_MS_MAX)
    if step < 1:
        raise malformed("the step of a burst is not at least 1 ms")
    read, columns_bytes = _read_columns(columns, n)
    heads = cbor.head_bytes(offset) + cbor.head_bytes(step) + cbor.head_bytes(n)
    return Burst(offset, step, n, read), 1 + heads + columns_bytes


def _read_columns(columns: object, n: int) -> tuple[dict[int, Column], int]:
    if type(columns) is not dict:
        raise malformed("the columns are not a map")
    if len(columns) > SIGNALS_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {SIGNALS_MAX} signals")
    length, read = cbor.head_bytes(len(columns)), dict[int, Column]()
    previous = -1
    for signal, item in columns.items():
        if type(signal) is not int or not previous < signal <= INT64_MAX:
            raise malformed("signal ids are not integers in ascending order")
        previous = signal
        read[signal], column_bytes = _read_column(item, n)
        length += cbor.head_bytes(signal) + column_bytes
    return read, length


def _read_column(item: object, n: int) -> tuple[Column, int]:
    if type(item) is not list or len(item) != 2:
        raise malformed("a column is not an array of 2")
    first, deltas = item
    if type(first) is not int or not INT64_MIN <= first <= INT64_MAX:
        raise malformed("the first value of a column does not fit 64 bits")
    width = WIDTH_OF_TAG.get(deltas.tag) if type(deltas) is cbor2.CBORTag else None
    if width is None:
        raise malformed("a column's deltas are not a little-endian signed array")
    size = n * width
    if type(deltas.value) is not bytes or len(deltas.value) != size:
        raise malformed("a column does not have one delta per sample")
    length = _COLUMN_HEADS + cbor.head_bytes(first) + cbor.head_bytes(size) + size
    return Column(first, width, deltas.value), length


def _take_count(n: object) -> int:
    if type(n) is int and n > SAMPLES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {SAMPLES_MAX} samples")
    count = cbor.take_uint(n, "the number of samples", SAMPLES_MAX)
    if count == 0:
        raise malformed("no samples")
    return count


def _require_length(data: bytes, length: int) -> None:
    if len(data) != length:
        raise malformed("a compressed block is not the deterministic encoding of its value")


def _column_items(columns: Mapping[int, Column]) -> dict[int, object]:
    return {signal: _column_item(column) for signal, column in columns.items()}


def _column_item(column: Column) -> list[object]:
    return [column.first, cbor2.CBORTag(TAG_OF_WIDTH[column.width], column.deltas)]
