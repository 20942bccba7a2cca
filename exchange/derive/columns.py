"""Columns of many segments at once, by numpy: decoded, checked, and encoded for binary COPY.

The rules are those of ``schemas.columns``, which is the same in plain Python. All columns of a
batch lie behind one another in flat arrays, so that the batch shares the cost of numpy's calls and
Python touches no sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.columns import Column, missing_of
from schemas.errors import malformed
from schemas.limits import INT64_MAX, INT64_MIN
from schemas.samples import SINGLE_SAMPLE_STEP_MS, Block, Burst

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]

_WIDTHS = (1, 2, 4, 8)
_NEAR_INT64 = 1 << 62
"""Below it no sum of deltas of up to 4 bytes can leave int64."""

_ARRAY_OVERHEAD_BYTES = 20
_ARRAY_OID = {2: 21, 4: 23, 8: 20}
"""Element types of PostgreSQL by width: int2, int4, int8."""


@dataclass(frozen=True, slots=True)
class PackedColumns:
    """Encoded columns in one buffer: column c's deltas begin at byte ``starts[c]`` of ``data``.

    ``widths`` are bytes of a delta, 0 for a column that cannot be right; ``counts`` are samples.
    """

    data: bytes
    starts: Int64s
    widths: Int64s
    counts: Int64s
    firsts: Int64s

    @classmethod
    def of(cls, columns: Sequence[Column], counts: Sequence[int]) -> "PackedColumns":
        """Pack columns that were read one by one, each of so many samples."""
        fits = [
            INT64_MIN <= column.first <= INT64_MAX and len(column.deltas) == n * column.width
            for column, n in zip(columns, counts, strict=True)
        ]
        lengths = np.array([len(column.deltas) for column in columns], np.int64)
        return cls(
            b"".join([column.deltas for column in columns]),
            np.cumsum(lengths) - lengths,
            np.array([c.width if f else 0 for c, f in zip(columns, fits, strict=True)], np.int64),
            np.array(counts, np.int64),
            np.array([c.first if f else 0 for c, f in zip(columns, fits, strict=True)], np.int64),
        )

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, places: Int64s) -> "PackedColumns":
        """Some of the columns, in this order, in the same buffer."""
        return PackedColumns(
            self.data,
            self.starts[places],
            self.widths[places],
            self.counts[places],
            self.firsts[places],
        )

    def followed_by(self, other: "PackedColumns") -> "PackedColumns":
        """The columns of both."""
        if not len(other):
            return self
        return PackedColumns(
            self.data + other.data,
            np.concatenate([self.starts, other.starts + len(self.data)]),
            np.concatenate([self.widths, other.widths]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.firsts, other.firsts]),
        )

    def deltas(self) -> bytes:
        """The deltas of every column behind one another."""
        data, ends = self.data, self.starts + self.widths * self.counts
        return b"".join(
            [data[s:e] for s, e in zip(self.starts.tolist(), ends.tolist(), strict=True)]
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """Columns in flat arrays: column c is ``values[starts[c]:ends[c]]``.

    ``values`` where not ``present`` mean nothing; a column that is not ``good`` breaks a rule.
    """

    values: Int64s
    present: Flags
    starts: Int64s
    ends: Int64s
    good: Flags

    def column(self, place: int) -> tuple[Int64s, Flags]:
        """Values and presence of one column."""
        part = slice(int(self.starts[place]), int(self.ends[place]))
        return self.values[part], self.present[part]

    def within(self, largest: int) -> bool:
        """Whether no value is missing, and none beyond ``largest`` on either side."""
        return bool(
            self.present.all()
            and self.values.max(initial=0) <= largest
            and self.values.min(initial=0) >= -largest
        )


def decode(part: Block | Burst) -> tuple[Int64s, dict[int, tuple[Int64s, Flags]]]:
    """Times (ms after the segment's t0) and per signal id (values, present), n of each.

    ``StatementRefused(malformed)`` when a column or the series of times breaks a rule.
    """
    times = (
        block_times_ms(part)
        if isinstance(part, Block)
        else part.offset_ms + np.arange(part.n, dtype=np.int64) * part.step_ms
    )
    decoded = decode_columns(list(part.columns.values()), [part.n] * len(part.columns))
    if not decoded.good.all():
        raise malformed("a column breaks a rule of its encoding")
    return times, {signal: decoded.column(c) for c, signal in enumerate(part.columns)}


def block_times_ms(block: Block) -> Int64s:
    """When each sample was taken, in ms after t0; ``StatementRefused(malformed)`` otherwise."""
    if block.offsets is None:
        return np.arange(block.n, dtype=np.int64) * (block.step_ms or SINGLE_SAMPLE_STEP_MS)
    decoded = decode_columns([block.offsets], [block.n])
    times, present = decoded.column(0)
    if not (decoded.good[0] and are_offsets(times, present)):
        raise malformed("the times of the samples are no irregular series that ascends from 0")
    return times


def are_offsets(times: Int64s, present: Flags) -> bool:
    """Whether a column may be a segment's time: none missing, ascending from 0, irregular."""
    if len(times) < 3 or times[0] != 0 or not present.all():
        return False
    ascending = times[1:] > times[:-1]  # before the difference, which could leave int64
    if not ascending.all():
        return False
    steps = np.diff(times)
    return bool((steps != steps[0]).any())


def decode_columns(columns: Sequence[Column], counts: Sequence[int]) -> Decoded:
    """Decode columns of ``counts`` samples each; never raises for what is inside them."""
    return decode_packed(PackedColumns.of(columns, counts))


def decode_packed(packed: PackedColumns) -> Decoded:
    """Decode packed columns; never raises for what is inside them."""
    starts, ends = np.zeros((2, len(packed)), dtype=np.int64)
    good = np.zeros(len(packed), dtype=np.bool_)
    values, present = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    end = 0
    for width in _WIDTHS:
        places = np.flatnonzero((packed.widths == width) & (packed.counts >= 1))
        if not len(places):
            continue
        group = _Group.of(width, packed.take(places))
        good[places] = group.good()
        starts[places] = group.starts + end
        ends[places] = starts[places] + group.lengths
        end += len(group.deltas)
        values.append(group.values)
        present.append(group.present)
    return Decoded(np.concatenate(values), np.concatenate(present), starts, ends, good)


@dataclass(slots=True)
class _Group:
    """Columns of one width behind one another."""

    width: int
    first: Int64s
    starts: Int64s
    lengths: Int64s
    deltas: Int64s
    present: Flags
    values: Int64s

    @classmethod
    def of(cls, width: int, packed: PackedColumns) -> "_Group":
        raw = np.frombuffer(packed.deltas(), f"<i{width}")
        lengths, first = packed.counts, packed.firsts
        ends = np.cumsum(lengths)
        starts = ends - lengths
        present = raw != missing_of(width)
        deltas = np.multiply(raw, present, dtype=np.int64)
        # One sum runs through all columns: each begins with the step from the last one's end.
        steps = deltas.copy()
        last = first + np.add.reduceat(deltas, starts)
        steps[starts] += first
        steps[starts[1:]] -= last[:-1]
        return cls(width, first, starts, lengths, deltas, present, np.cumsum(steps))

    def good(self) -> Flags:
        """Per column: some value, delta 0 at the first one, narrowest width, all within int64."""
        good: Flags = self._from_zero() & self._narrowest() & self._in_range()
        return good

    def _from_zero(self) -> Flags:
        """Some value is there, and the delta at the first one is 0."""
        if self.present[self.starts].all():
            begun: Flags = self.deltas[self.starts] == 0
            return begun
        positions = np.where(self.present, np.arange(len(self.present)), len(self.present))
        first_present = np.minimum.reduceat(positions, self.starts)
        some = first_present < self.starts + self.lengths
        from_zero: Flags = self.deltas[np.where(some, first_present, 0)] == 0
        return some & from_zero

    def _narrowest(self) -> Flags:
        if self.width == 1:
            return np.ones(len(self.starts), np.bool_)
        limit = (1 << (4 * self.width - 1)) - 1
        wide = (self.deltas > limit) | (self.deltas < -limit)
        needed: Flags = np.logical_or.reduceat(wide, self.starts)
        return needed

    def _in_range(self) -> Flags:
        if self.width == 8:
            return self._in_range_stepwise()
        good = np.ones(len(self.starts), np.bool_)
        near = np.flatnonzero((self.first >= _NEAR_INT64) | (self.first <= -_NEAR_INT64))
        for place in near:
            relative = np.cumsum(self.deltas[self.starts[place] :][: self.lengths[place]])
            first = int(self.first[place])
            lowest, highest = first + int(relative.min()), first + int(relative.max())
            good[place] = lowest >= INT64_MIN and highest <= INT64_MAX
        return good

    def _in_range_stepwise(self) -> Flags:
        """8-byte deltas: a step that wrapped has a sign that neither of its terms has."""
        before = np.roll(self.values, 1)
        before[self.starts] = self.first
        wrapped = ((self.values ^ before) & (self.values ^ self.deltas)) < 0
        any_wrapped: Flags = np.logical_or.reduceat(wrapped, self.starts)
        return ~any_wrapped


@dataclass(frozen=True, slots=True)
class CopyFields:
    """Columns as fields of binary COPY, and how many present values of each were left out."""

    fields: list[bytes]
    unstored: Int64s


def copy_fields(decoded: Decoded, element_bytes: int, largest: int = INT64_MAX) -> CopyFields:
    """Each column as a PostgreSQL array of ``element_bytes`` (2, 4 or 8), its length before it.

    A missing value, and one beyond ``largest`` on either side, is a NULL element.
    """
    if decoded.within(largest):
        body = _whole_elements(decoded.values, element_bytes)
        begins, ends = decoded.starts * (4 + element_bytes), decoded.ends * (4 + element_bytes)
        unstored = np.zeros(len(begins), np.int64)
    else:
        stored = decoded.present & (decoded.values <= largest) & (decoded.values >= -largest)
        left_out = np.concatenate([[0], np.cumsum(decoded.present & ~stored)])
        unstored = left_out[decoded.ends] - left_out[decoded.starts]
        body, ends_in_body = _sparse_elements(decoded.values, stored, element_bytes)
        begins, ends = ends_in_body[decoded.starts], ends_in_body[decoded.ends]
    headers = _array_headers(decoded.ends - decoded.starts, ends - begins, element_bytes)
    view = memoryview(body)
    fields = [
        headers[24 * c : 24 * c + 24] + view[begin:end]
        for c, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True))
    ]
    return CopyFields(fields, unstored)


def _whole_elements(values: Int64s, element_bytes: int) -> bytes:
    """Array elements, each behind its length."""
    elements = np.empty(len(values), [("length", ">i4"), ("value", f">i{element_bytes}")])
    elements["length"] = element_bytes
    elements["value"] = values
    return elements.tobytes()


def _sparse_elements(values: Int64s, stored: Flags, element_bytes: int) -> tuple[bytes, Int64s]:
    """The same with -1 and nothing for what is not stored; where each element starts."""
    elements = np.empty(len(values), [("length", ">i4"), ("value", f">i{element_bytes}")])
    elements["length"] = np.where(stored, element_bytes, -1)
    elements["value"] = np.where(stored, values, 0)
    size = 4 + element_bytes
    kept = np.ones((len(values), size), np.bool_)
    kept[:, 4:] = stored[:, np.newaxis]
    body = elements.view(np.uint8).reshape(-1, size)[kept]
    starts = np.concatenate([[0], np.cumsum(np.where(stored, size, 4), dtype=np.int64)])
    return body.tobytes(), starts


def _array_headers(counts: Int64s, body_bytes: Int64s, element_bytes: int) -> bytes:
    """24 bytes each: field length, dimensions, has-NULL flag, element type, length, lower bound."""
    headers = np.empty((len(counts), 6), ">i4")
    headers[:, 0] = body_bytes + _ARRAY_OVERHEAD_BYTES
    headers[:, 1] = 1
    headers[:, 2] = body_bytes != counts * (4 + element_bytes)
    headers[:, 3] = _ARRAY_OID[element_bytes]
    headers[:, 4] = counts
    headers[:, 5] = 1
    return headers.tobytes()
