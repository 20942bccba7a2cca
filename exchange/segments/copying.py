"""Rows of the table ``segment`` in PostgreSQL's binary COPY format.

A row is a count of fields and, per field, its length and bytes, big-endian; length -1 is NULL.
Arrays come ready made from ``normal``; what is left per row is joining.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct

from exchange.segments.model import NewSegment, Summary
from exchange.segments.normal import NULL, NormalRows
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

_COUNT = Struct(">h").pack(len(COLUMNS))
_LENGTH = Struct(">i")
_INT4, _INT8, _REAL = (Struct(f">i{code}") for code in "iqf")
_SUMMARY_FIELDS = (_INT4, _INT4, _REAL, _REAL, _INT4, _INT4, _INT4, _INT4)
_ID_AND_DIGEST = Struct(">iqi")
_TIMES = Struct(">iqiqii")
_FLAGS = Struct(">ihi?ii")
_SUMMARY = Struct(">iiiiififiiiiiiii")
_STAMPS = Struct(">iqiqiqi")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_MS = 946_684_800_000
_LATE_US_MAX = 366 * 86_400_000_000
_EARLY_US_MAX = 86_400_000_000
_DIGEST_BYTES = 32


def rows(
    segments: Sequence[NewSegment],
    normal: NormalRows,
    ids: Sequence[int],
    committed_at: datetime,
) -> bytes:
    """The whole COPY stream of a batch; ``ids`` are those of the sequence ``segment_id``."""
    now = _microseconds(committed_at)
    parts: list[bytes] = [HEADER]
    for one, row_id in zip(segments, ids, strict=True):
        place = one.place
        seq, t0, n, step_ms, flags, driver_class = normal.scalars[place]
        boot, received = one.identity.boot, _microseconds(one.received_at)
        parts += (
            _COUNT,
            _ID_AND_DIGEST.pack(8, row_id, _DIGEST_BYTES),
            one.digest,
            _text(one.identity.carrier),
            _text(one.identity.device),
            _LENGTH.pack(len(boot)),
            boot,
            _INT8.pack(8, seq),
            _text(one.vehicle),
            _TIMES.pack(8, t0, 8, normal.t_end[place], 4, n),
            _INT8.pack(8, step_ms) if step_ms else NULL,
            normal.offsets.get(place, NULL),
            _FLAGS.pack(2, flags, 1, driver_class, 4, normal.unstored[place]),
            _summary(normal.summaries[place]),
            _STAMPS.pack(8, received, 8, now, 8, _filed(t0, received), len(one.raw)),
            one.raw,
            *normal.signals[place],
        )
    parts.append(TRAILER)
    return b"".join(parts)


def _summary(summary: Summary) -> bytes:
    if None in summary:
        return b"".join(
            NULL if value is None else one.pack(4, value)
            for one, value in zip(_SUMMARY_FIELDS, summary, strict=True)
        )
    (slow, fast, mean, metres, south, north, west, east) = summary
    return _SUMMARY.pack(4, slow, 4, fast, 4, mean, 4, metres, 4, south, 4, north, 4, west, 4, east)


def _variable(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=65_536)
def _text(text: str) -> bytes:
    return _variable(text.encode())


def _filed(t0_ms: int, received_us: int) -> int:
    """The time by which the row is filed: ``t0`` where the truck's clock can have been right."""
    t0_us = (t0_ms - _EPOCH_MS) * 1000
    if received_us - _LATE_US_MAX <= t0_us <= received_us + _EARLY_US_MAX:
        return t0_us
    return received_us


def _microseconds(at: datetime) -> int:
    """``timestamptz``: µs since 2000-01-01 UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)
