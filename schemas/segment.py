"""A segment: some seconds of one vehicle, as its device signs them (DESIGN section 3).

``read_segment`` checks everything but the inside of columns, which intake checks by numpy;
``read_segment_strict`` checks those too, in plain Python.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.columns import decode_column
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
    SEQ_MAX,
    TIME_MS_MAX,
)
from schemas.samples import (
    Block,
    Burst,
    encode_block,
    encode_bursts,
    read_block,
    read_bursts,
    sample_offsets_ms,
    take_offset,
)

VERSION = 1
FLAG_RECOVERED = 1
FLAG_EVENT = 2
FLAG_PRIVATE = 4
FLAGS_ALL = FLAG_RECOVERED | FLAG_EVENT | FLAG_PRIVATE

CLOCK_NONE, CLOCK_RTC, CLOCK_NTP, CLOCK_GNSS = range(4)

_MANDATORY = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)
_OPTIONAL = (10, 11, 13, 14)
CLASS_DRIVER = 1

Detail = Mapping[int, int | str | bytes]


@dataclass(frozen=True, slots=True)
class SegmentEvent:
    """Something found on the truck, ``offset_ms`` after t0; ids are the catalogue's."""

    offset_ms: int
    event_id: int
    detail: Detail = field(default_factory=dict)


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
        payload[11] = deflate(encode_bursts(segment.bursts))
    if segment.flags:
        payload[13] = segment.flags
    if segment.driver_class:
        payload[14] = CLASS_DRIVER
    return cbor.encode(payload)


def read_segment(payload: bytes) -> Segment:
    """Read a payload without looking inside its columns; ``StatementRefused`` otherwise."""
    # Every field below is read by its type, so what is left to check here is the order of keys.
    fields = cbor.take_map(cbor.decode_exact(payload), "a segment", _MANDATORY, _OPTIONAL)
    cbor.require_ascending(fields, "a segment")
    cbor.take_version(fields[1], "a segment", VERSION)
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
        bursts=_read_bursts(fields, left),
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
    return INFLATED_BYTES_MAX - len(data), read_block(data)


def _read_bursts(fields: dict[int, Any], left: int) -> tuple[Burst, ...]:
    if 11 not in fields:
        return ()
    return read_bursts(inflate(cbor.take_bytes(fields[11], "bursts"), left))


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
    for value in detail.values():
        if type(value) not in (int, str, bytes):
            raise malformed("an event's detail is neither integer, text nor bytes")
        if type(value) is int and not INT64_MIN <= value <= INT64_MAX:
            raise malformed("an integer of an event's detail does not fit 64 bits")
    cbor.require_ascending(detail, "an event's detail")
    return SegmentEvent(take_offset(offset), cbor.take_uint(event_id, "an event id"), detail)


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
    flags = cbor.take_uint(fields[13], "flags", FLAGS_ALL)
    if flags == 0:
        raise malformed("flags of 0 are left out")
    return flags


def _read_class(fields: dict[int, Any]) -> bool:
    if 14 not in fields:
        return False
    if fields[14] != CLASS_DRIVER or type(fields[14]) is not int:
        raise malformed("a class that no version knows")
    return True
