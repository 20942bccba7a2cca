"""Rows of the table ``segment`` in PostgreSQL's binary COPY format.

A row is a count of fields and, per field, its length and bytes, big-endian; length -1 is NULL.
Arrays come ready made from ``normal``; what is left per row is joining.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct

from exchange.segments.model import NewSegment, Summary
from exchange.segments.normal import NormalSegment
from schemas.catalogue import SIGNALS

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_FIXED_COLUMNS = (
    "id",
    "digest",
    "carrier",
    "device",
    "boot",
    "seq",
    "vehicle",
    "t0",
    "t_end",
    "n",
    "step_ms",
    "offsets_ms",
    "flags",
    "driver_class",
    "unstored",
    "speed_min",
    "speed_max",
    "speed_mean",
    "distance_m",
    "latitude_min",
    "latitude_max",
    "longitude_min",
    "longitude_max",
    "received_at",
    "committed_at",
    "filed_at",
    "raw",
)
_SIGNALS = tuple(SIGNALS.values())
COLUMNS: tuple[str, ...] = (*_FIXED_COLUMNS, *(signal.column for signal in _SIGNALS))
"""The columns that a row fills, in this order."""

_NULL = b"\xff\xff\xff\xff"
_COUNT = Struct(">h").pack(len(COLUMNS))
_LENGTH = Struct(">i")
_INT2, _INT4, _INT8, _REAL, _BOOL = (Struct(f">i{code}") for code in "hiqf?")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_MS = 946_684_800_000
_LATE_US_MAX = 366 * 86_400_000_000
_EARLY_US_MAX = 86_400_000_000


def rows(
    segments: Sequence[NewSegment],
    normal: Sequence[NormalSegment],
    ids: Sequence[int],
    committed_at: datetime,
) -> bytes:
    """The whole COPY stream of a batch; ``ids`` are those of the sequence ``segment_id``."""
    now = _timestamp(committed_at)
    parts: list[bytes] = [HEADER]
    for one, columns, row_id in zip(segments, normal, ids, strict=True):
        parts += _row(one, columns, row_id, now)
    parts.append(TRAILER)
    return b"".join(parts)


def _row(one: NewSegment, columns: NormalSegment, row_id: int, now: bytes) -> list[bytes]:
    identity, segment = one.identity, one.segment
    step_ms = segment.block.step_ms
    fields = [
        _COUNT,
        _INT8.pack(8, row_id),
        _variable(one.digest),
        _text(identity.carrier),
        _text(identity.device),
        _variable(identity.boot),
        _INT8.pack(8, identity.seq),
        _text(one.vehicle),
        _INT8.pack(8, segment.t0),
        _INT8.pack(8, columns.t_end),
        _INT4.pack(4, segment.block.n),
        _NULL if step_ms is None else _INT8.pack(8, step_ms),
        columns.offsets or _NULL,
        _INT2.pack(2, segment.flags),
        _BOOL.pack(1, segment.driver_class),
        _INT4.pack(4, columns.unstored),
        *_summary(columns.summary),
        received := _timestamp(one.received_at),
        now,
        _filed(segment.t0, received),
        _variable(one.raw),
    ]
    encoded = columns.signals
    fields += [encoded.get(signal.id, _NULL) for signal in _SIGNALS]
    return fields


def _summary(summary: Summary) -> Iterable[bytes]:
    return (
        _int4(summary.speed_min),
        _int4(summary.speed_max),
        _real(summary.speed_mean),
        _real(summary.distance_m),
        _int4(summary.latitude_min),
        _int4(summary.latitude_max),
        _int4(summary.longitude_min),
        _int4(summary.longitude_max),
    )


def _int4(value: int | None) -> bytes:
    return _NULL if value is None else _INT4.pack(4, value)


def _real(value: float | None) -> bytes:
    return _NULL if value is None else _REAL.pack(4, value)


def _variable(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=65_536)
def _text(text: str) -> bytes:
    return _variable(text.encode())


def _filed(t0_ms: int, received: bytes) -> bytes:
    """The time by which the row is filed: ``t0`` where the truck's clock can have been right."""
    received_us = int.from_bytes(received[4:], "big", signed=True)
    t0_us = (t0_ms - _EPOCH_MS) * 1000
    if received_us - _LATE_US_MAX <= t0_us <= received_us + _EARLY_US_MAX:
        return _INT8.pack(8, t0_us)
    return received


def _timestamp(at: datetime) -> bytes:
    """``timestamptz``: µs since 2000-01-01 UTC."""
    return _INT8.pack(8, (at - _EPOCH) // timedelta(microseconds=1))
