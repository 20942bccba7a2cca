"""A segment: some seconds of one vehicle, as its device signs them (DESIGN section 3).

``read_segment`` checks everything but the inside of columns, which intake checks by numpy;
``read_segment_strict`` checks those too, in plain Python.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cbor2

from schemas.columns import TAG_OF_WIDTH, WIDTH_OF_TAG, Column, decode_column
from schemas.cose import cbor, sign1
from schemas.cose.keys import Signer
from schemas.deflated import deflate, inflate
from schemas.errors import Reason, StatementRefused, malformed
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import (
    BOOT_BYTES,
    DIGEST_BYTES,
    EVENT_DETAIL_BYTES_MAX,
    EVENTS_MAX,
    INFLATED_BYTES_MAX,
    INT64_MAX,
    INT64_MIN,
    RAW_DIGESTS_MAX,
    SALT_BYTES,
    SAMPLES_MAX,
    SEQ_MAX,
    SIGNALS_MAX,
    TIME_MS_MAX,
)

VERSION = 1
SINGLE_SAMPLE_STEP_MS = 1_000

FLAG_RECOVERED = 1
FLAG_EVENT = 2
FLAG_PRIVATE = 4
_FLAGS_ALL = FLAG_RECOVERED | FLAG_EVENT | FLAG_PRIVATE

CLOCK_NONE, CLOCK_RTC, CLOCK_NTP, CLOCK_GNSS = range(4)

_MANDATORY = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)
_OPTIONAL = (10, 11, 13, 14)
_CLASS_DRIVER = 1

Detail = Mapping[int, int | str | bytes]


@dataclass(frozen=True, slots=True)
class SegmentEvent:
    """Something found on the truck, ``offset_ms`` after t0; ids are the catalogue's."""

    offset_ms: int
    event_id: int
    detail: Detail = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Segment:
    """The payload of a segment, keys 1 to 14 of DESIGN section 3; times in ms."""

    boot: bytes
    seq: int
    prev: bytes
    t0: int
    block: Block
    events: tuple[SegmentEvent, ...]
    clock: tuple[int, int]
    """Source (0 none, 1 RTC, 2 NTP, 3 GNSS) and uncertainty in ms."""
    salt: bytes
    mono: int
    raw_digests: tuple[bytes, ...] = ()
    bursts: tuple[Burst, ...] = ()
    flags: int = 0
    driver_class: bool = False


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment signed on the truck; only ``seal_segment`` makes one."""

    raw: bytes
    digest: bytes
    boot: bytes
    seq: int


def seal_segment(
    segment: Segment, signer: Signer, *, issuer: str, vehicle: str, origin: str
) -> SealedSegment:
    """Sign a segment; ``StatementRefused`` when a reader would refuse what it says."""
    raw = sign1.sign(
        signer,
        issuer=issuer,
        subject=vehicle,
        origin=origin,
        type_text=TYPE_TEXT[Kind.SEGMENT],
        payload=encode_segment(segment),
    )
    return SealedSegment(raw, hashlib.sha256(raw).digest(), segment.boot, segment.seq)


def encode_segment(segment: Segment) -> bytes:
    """The payload's bytes. The samples are compressed here, once and for ever."""
    payload: dict[int, object] = {
        1: VERSION,
        2: segment.boot,
        3: segment.seq,
        4: segment.prev,
        5: segment.t0,
        6: deflate(encode_block(segment.block)),
        7: [[event.offset_ms, event.event_id, event.detail] for event in segment.events],
        8: list(segment.clock),
        9: segment.salt,
        12: segment.mono,
    }
    if segment.raw_digests:
        payload[10] = list(segment.raw_digests)
    if segment.bursts:
        payload[11] = deflate(cbor.encode([_burst_item(burst) for burst in segment.bursts]))
    if segment.flags:
        payload[13] = segment.flags
    if segment.driver_class:
        payload[14] = _CLASS_DRIVER
    return cbor.encode(payload)


def encode_block(block: Block) -> bytes:
    """``[n, time, {signal id: column}]``, not yet deflated: what the sealer measures to cut."""
    time = block.step_ms if block.offsets is None else _column_item(block.offsets)
    return cbor.encode([block.n, time, _column_items(block.columns)])


def read_segment(payload: bytes) -> Segment:
    """Read a payload without looking inside its columns; ``StatementRefused`` otherwise."""
    fields = cbor.take_map(cbor.decode(payload), "a segment", _MANDATORY, _OPTIONAL)
    if fields[1] != VERSION:
        raise StatementRefused(Reason.UNSUPPORTED, "a segment of another version")
    boot, seq, prev = take_chain(fields)
    left, block = _read_block(fields[6])
    return Segment(
        boot=boot,
        seq=seq,
        prev=prev,
        t0=cbor.take_uint(fields[5], "t0", TIME_MS_MAX),
        block=block,
        events=_read_events(fields[7]),
        clock=take_clock(fields[8]),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
        mono=cbor.take_uint(fields[12], "mono"),
        raw_digests=_read_raw_digests(fields),
        bursts=_read_bursts(fields[11], left) if 11 in fields else (),
        flags=_read_flags(fields),
        driver_class=_read_class(fields),
    )


def read_segment_strict(payload: bytes) -> Segment:
    """Read a payload and check every column too; ``StatementRefused`` when any rule is broken."""
    segment = read_segment(payload)
    sample_offsets_ms(segment.block)
    parts: tuple[Block | Burst, ...] = (segment.block, *segment.bursts)
    for part in parts:
        for column in part.columns.values():
            decode_column(column, part.n)
    return segment


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


def take_chain(fields: dict[int, Any]) -> tuple[bytes, int, bytes]:
    """Keys 2 to 4 of a segment or gap: boot, seq and the digest of the statement before it."""
    boot = cbor.take_bytes(fields[2], "boot", BOOT_BYTES)
    seq = cbor.take_uint(fields[3], "seq", SEQ_MAX)
    prev = cbor.take_bytes(fields[4], "prev")
    if len(prev) != DIGEST_BYTES and (prev or seq):
        raise malformed("prev is neither a digest nor that of a device's very first statement")
    return boot, seq, prev


def take_clock(value: object) -> tuple[int, int]:
    """Key 8 of a segment or gap: the clock's source and its uncertainty in ms."""
    source, uncertainty = cbor.take_list(value, "clock", 2)
    return (
        cbor.take_uint(source, "the clock's source", CLOCK_GNSS),
        cbor.take_uint(uncertainty, "the clock's uncertainty"),
    )


def _read_block(compressed: object) -> tuple[int, Block]:
    data = inflate(cbor.take_bytes(compressed, "samples"), INFLATED_BYTES_MAX)
    n, time, columns = cbor.take_list(_decode_columns(data), "the samples", 3)
    n = _take_count(n)
    step, offsets = _read_time(time, n)
    return INFLATED_BYTES_MAX - len(data), Block(n, step, offsets, _read_columns(columns, n))


def _read_time(time: object, n: int) -> tuple[int | None, Column | None]:
    if type(time) is list:
        if n < 3:  # one interval is always regular
            raise malformed("a regular series is written as offsets")
        return None, _read_column(time, n)
    step = cbor.take_uint(time, "the step", TIME_MS_MAX)
    if step < 1 or (n == 1 and step != SINGLE_SAMPLE_STEP_MS):
        raise malformed("the step is not at least 1 ms, or not 1000 ms for a single sample")
    return step, None


def _read_columns(columns: object, n: int) -> dict[int, Column]:
    if type(columns) is not dict:
        raise malformed("the columns are not a map")
    if len(columns) > SIGNALS_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {SIGNALS_MAX} signals")
    return {
        cbor.take_uint(signal, "a signal id"): _read_column(item, n)
        for signal, item in columns.items()
    }


def _read_column(item: object, n: int) -> Column:
    first, deltas = cbor.take_list(item, "a column", 2)
    if type(first) is not int or not INT64_MIN <= first <= INT64_MAX:
        raise malformed("the first value of a column does not fit 64 bits")
    width = WIDTH_OF_TAG.get(deltas.tag) if isinstance(deltas, cbor2.CBORTag) else None
    if width is None:
        raise malformed("a column's deltas are not a little-endian signed array")
    return Column(first, width, cbor.take_bytes(deltas.value, "the deltas", n * width))


def _read_bursts(compressed: object, left: int) -> tuple[Burst, ...]:
    data = inflate(cbor.take_bytes(compressed, "bursts"), left)
    bursts = tuple(_read_burst(item) for item in cbor.take_list(_decode_columns(data), "bursts"))
    if not bursts:
        raise malformed("an empty list of bursts is left out")
    return bursts


def _read_burst(item: object) -> Burst:
    offset, step, n, columns = cbor.take_list(item, "a burst", 4)
    n = _take_count(n)
    step = cbor.take_uint(step, "the step of a burst", TIME_MS_MAX)
    if step < 1:
        raise malformed("the step of a burst is not at least 1 ms")
    return Burst(_take_offset(offset), step, n, _read_columns(columns, n))


def _read_events(value: object) -> tuple[SegmentEvent, ...]:
    items = cbor.take_list(value, "events")
    if len(items) > EVENTS_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {EVENTS_MAX} events")
    events = tuple(_read_event(item) for item in items)
    if sum(len(cbor.encode(event.detail)) for event in events) > EVENT_DETAIL_BYTES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, "too much detail in the events")
    return events


def _read_event(item: object) -> SegmentEvent:
    offset, event_id, detail = cbor.take_list(item, "an event", 3)
    if type(detail) is not dict:
        raise malformed("the detail of an event is not a map")
    for key, value in detail.items():
        cbor.take_uint(key, "a key of an event's detail")
        if type(value) not in (int, str, bytes):
            raise malformed("an event's detail is neither integer, text nor bytes")
    return SegmentEvent(_take_offset(offset), cbor.take_uint(event_id, "an event id"), detail)


def _read_raw_digests(fields: dict[int, Any]) -> tuple[bytes, ...]:
    if 10 not in fields:
        return ()
    items = cbor.take_list(fields[10], "digests of raw frames")
    if not 0 < len(items) <= RAW_DIGESTS_MAX:
        raise malformed(f"not 1 to {RAW_DIGESTS_MAX} digests of raw frames")
    return tuple(cbor.take_bytes(item, "a digest", DIGEST_BYTES) for item in items)


def _read_flags(fields: dict[int, Any]) -> int:
    if 13 not in fields:
        return 0
    flags = cbor.take_uint(fields[13], "flags", _FLAGS_ALL)
    if flags == 0:
        raise malformed("flags of 0 are left out")
    return flags


def _read_class(fields: dict[int, Any]) -> bool:
    if 14 not in fields:
        return False
    if fields[14] != _CLASS_DRIVER or type(fields[14]) is not int:
        raise malformed("a class that no version knows")
    return True


def _decode_columns(data: bytes) -> Any:
    return cbor.decode(data, tags=WIDTH_OF_TAG)


def _take_count(n: object) -> int:
    if type(n) is int and n > SAMPLES_MAX:
        raise StatementRefused(Reason.TOO_LARGE, f"more than {SAMPLES_MAX} samples")
    count = cbor.take_uint(n, "the number of samples", SAMPLES_MAX)
    if count == 0:
        raise malformed("no samples")
    return count


def _take_offset(value: object) -> int:
    if type(value) is not int or not -TIME_MS_MAX <= value <= TIME_MS_MAX:
        raise malformed("an offset is not a time in ms")
    return value


def _burst_item(burst: Burst) -> list[object]:
    return [burst.offset_ms, burst.step_ms, burst.n, _column_items(burst.columns)]


def _column_items(columns: Mapping[int, Column]) -> dict[int, object]:
    return {signal: _column_item(column) for signal, column in columns.items()}


def _column_item(column: Column) -> list[object]:
    return [column.first, cbor2.CBORTag(TAG_OF_WIDTH[column.width], column.deltas)]
