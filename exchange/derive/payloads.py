"""Payloads of many segments read at once: what intake needs of them, as columns.

``read_payloads`` follows ``schemas.segment.read_segment`` to the letter. The common form of a
payload (no events, bursts or digests of raw frames) is read in step by numpy; what has another
form, or breaks a rule, is read by ``read_segment`` itself, which says what is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from exchange.derive.blocks import TIME, Blocks, read_blocks
from exchange.derive.columns import Flags, Int64s, PackedColumns
from exchange.derive.heads import UNSIGNED, Cursor, Encodings
from schemas.columns import Column
from schemas.deflated import inflate
from schemas.errors import StatementRefused
from schemas.limits import (
    BOOT_BYTES,
    DIGEST_BYTES,
    INFLATED_BYTES_MAX,
    INT64_MAX,
    SALT_BYTES,
    SEQ_MAX,
    STATEMENT_BYTES_MAX,
    TIME_MS_MAX,
)
from schemas.samples import Block, Burst
from schemas.segment import CLASS_DRIVER, CLOCK_GNSS, FLAGS_ALL, VERSION, Segment, read_segment

INFLATED_TOGETHER_MAX = 16 * 1024 * 1024
"""A delta of one byte becomes some fifty in memory while a batch is worked on."""

_MAP, _EMPTY_LIST, _PAIR, _BYTES = 0xA0, 0x80, 0x82, 0x40
_KEYS_ALWAYS, _KEYS_MOST = 10, 12
"""Keys 1 to 9 and 12 are always there; 13 and 14 may follow."""


class TooMuchAtOnce(Exception):
    """So much comes out of compressed samples that it has to be read in smaller batches."""


@dataclass(frozen=True, slots=True)
class Payloads:
    """The segments of a batch by place; what is said of a refused one means nothing.

    ``step_ms`` is 0 where the times are a column, whose signal is then ``blocks.TIME``; ``rows``
    and ``burst_rows`` say whose each column is.
    """

    refused: dict[int, StatementRefused]
    boots: list[bytes]
    seqs: Int64s
    t0: Int64s
    n: Int64s
    step_ms: Int64s
    flags: Int64s
    driver_class: Flags
    columns: PackedColumns
    rows: Int64s
    signals: Int64s
    bursts: PackedColumns
    burst_rows: Int64s

    def __len__(self) -> int:
        return len(self.boots)


def read_payloads(payloads: Sequence[bytes]) -> Payloads:
    """Read payloads without looking inside their columns; never raises for what is in one.

    Raises ``TooMuchAtOnce`` when several hold more than ``INFLATED_TOGETHER_MAX`` bytes of samples.
    """
    outer = _Outer.read(payloads)
    inflated = _Inflated(len(payloads))
    blocks, places = _common_blocks(payloads, outer, inflated)
    refused: dict[int, StatementRefused] = {}
    plain: dict[int, Segment] = {}
    for row in np.flatnonzero(~outer.good).tolist():
        try:
            plain[row] = segment = read_segment(payloads[row])
            inflated.add(_column_bytes(segment))
        except StatementRefused as refusal:
            refused[row] = refusal
    n, step_ms = np.zeros((2, len(payloads)), np.int64)
    n[places], step_ms[places] = blocks.n, blocks.step_ms
    for row, segment in plain.items():
        outer.set(row, segment)
        n[row], step_ms[row] = segment.block.n, segment.block.step_ms or 0
    of_plain, of_bursts = _plain_columns(plain), _burst_columns(plain)
    return Payloads(
        refused=refused,
        boots=outer.boots,
        seqs=outer.seqs,
        t0=outer.t0,
        n=n,
        step_ms=step_ms,
        flags=outer.flags,
        driver_class=outer.driver_class,
        columns=blocks.columns.followed_by(of_plain.packed()),
        rows=np.concatenate([places[blocks.rows], np.array(of_plain.rows, np.int64)]),
        signals=np.concatenate([blocks.signals, np.array(of_plain.signals, np.int64)]),
        bursts=of_bursts.packed(),
        burst_rows=np.array(of_bursts.rows, np.int64),
    )


@dataclass(slots=True)
class _Outer:
    """The fields of a payload beside its samples, and where those are, deflated."""

    good: Flags
    boots: list[bytes]
    seqs: Int64s
    t0: Int64s
    flags: Int64s
    driver_class: Flags
    starts: Int64s
    ends: Int64s

    @classmethod
    def read(cls, payloads: Sequence[bytes]) -> "_Outer":
        cursor = Cursor(Encodings(payloads))
        rows = np.arange(len(payloads))
        keys = cursor.encodings.octets_at(cursor.at).astype(np.int64) - _MAP
        cursor.expect(rows, (keys >= _KEYS_ALWAYS) & (keys <= _KEYS_MOST))
        cursor.at += 1
        cursor.octets(rows, 1, VERSION, 2, _BYTES | BOOT_BYTES)
        boots = cursor.at - cursor.encodings.starts
        cursor.at += BOOT_BYTES
        cursor.octets(rows, 3)
        seqs = cursor.argument(rows, UNSIGNED, SEQ_MAX)
        cursor.octets(rows, 4)
        _, prev_bytes = cursor.byte_strings(rows, DIGEST_BYTES)
        cursor.expect(rows, (prev_bytes == DIGEST_BYTES) | ((prev_bytes == 0) & (seqs == 0)))
        cursor.octets(rows, 5)
        t0 = cursor.argument(rows, UNSIGNED, TIME_MS_MAX)
        cursor.octets(rows, 6)
        starts, lengths = cursor.byte_strings(rows, STATEMENT_BYTES_MAX)
        cursor.octets(rows, 7, _EMPTY_LIST, 8, _PAIR)
        cursor.argument(rows, UNSIGNED, CLOCK_GNSS)
        cursor.argument(rows, UNSIGNED, INT64_MAX)
        cursor.octets(rows, 9, _BYTES | SALT_BYTES)
        cursor.at += SALT_BYTES
        cursor.octets(rows, 12)
        cursor.argument(rows, UNSIGNED, INT64_MAX)
        flags, driver_class = _read_optional(cursor, keys - _KEYS_ALWAYS)
        starts -= cursor.encodings.starts
        return cls(
            good=cursor.finish(),
            boots=[
                payload[at : at + BOOT_BYTES]
                for payload, at in zip(payloads, boots.tolist(), strict=True)
            ],
            seqs=seqs,
            t0=t0,
            flags=flags,
            driver_class=driver_class,
            starts=starts,
            ends=starts + lengths,
        )

    def set(self, row: int, segment: Segment) -> None:
        """Take a row from a segment that was read by itself."""
        self.boots[row] = segment.boot
        self.seqs[row], self.t0[row] = segment.seq, segment.t0
        self.flags[row], self.driver_class[row] = segment.flags, segment.driver_class


@dataclass(slots=True)
class _Columns:
    """Columns of segments that were read by themselves."""

    columns: list[Column] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)

    def add(self, column: Column, n: int, row: int, signal: int) -> None:
        self.columns.append(column)
        self.counts.append(n)
        self.rows.append(row)
        self.signals.append(signal)

    def packed(self) -> PackedColumns:
        return PackedColumns.of(self.columns, self.counts)


def _read_optional(cursor: Cursor, left: Int64s) -> tuple[Int64s, Flags]:
    """Keys 13 and 14, where there are any: flags and class."""
    flags = np.zeros(len(left), np.int64)
    flagged = np.flatnonzero((left > 0) & cursor.next_is(np.arange(len(left)), 13))
    cursor.octets(flagged, 13)
    flags[flagged] = cursor.argument(flagged, UNSIGNED, FLAGS_ALL)
    cursor.expect(flagged, flags[flagged] > 0)
    left = left.copy()
    left[flagged] -= 1
    classed = np.flatnonzero(left > 0)
    cursor.octets(classed, 14, CLASS_DRIVER)
    left[classed] -= 1
    cursor.expect(classed, left[classed] == 0)
    return flags, np.isin(np.arange(len(left)), classed)


@dataclass(slots=True)
class _Inflated:
    """Bytes of samples that came out of so many payloads."""

    payloads: int
    total: int = 0

    def add(self, count: int) -> None:
        self.total += count
        if self.total > INFLATED_TOGETHER_MAX and self.payloads > 1:
            raise TooMuchAtOnce


def _column_bytes(segment: Segment) -> int:
    parts: tuple[Block | Burst, ...] = (segment.block, *segment.bursts)
    return sum(len(column.deltas) for part in parts for column in part.columns.values())


def _common_blocks(
    payloads: Sequence[bytes], outer: _Outer, total: _Inflated
) -> tuple[Blocks, Int64s]:
    """The blocks of payloads of the common form, and whose they are; others are left over."""
    inflated, rows = list[bytes](), list[int]()
    for row in np.flatnonzero(outer.good).tolist():
        try:
            block = inflate(payloads[row][outer.starts[row] : outer.ends[row]], INFLATED_BYTES_MAX)
        except StatementRefused:
            outer.good[row] = False
            continue
        total.add(len(block))
        inflated.append(block)
        rows.append(row)
    blocks, places = read_blocks(inflated), np.array(rows, np.int64)
    outer.good[places] = blocks.good
    return blocks, places


def _plain_columns(segments: dict[int, Segment]) -> _Columns:
    found = _Columns()
    for row, segment in segments.items():
        block = segment.block
        if block.offsets is not None:
            found.add(block.offsets, block.n, row, TIME)
        for signal, column in block.columns.items():
            found.add(column, block.n, row, signal)
    return found


def _burst_columns(segments: dict[int, Segment]) -> _Columns:
    found = _Columns()
    for row, segment in segments.items():
        for burst in segment.bursts:
            for signal, column in burst.columns.items():
                found.add(column, burst.n, row, signal)
    return found
