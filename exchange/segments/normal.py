"""Many segments at once become rows of small arrays (DESIGN section 5), by numpy.

Unknown signals, and values past a signal's stored width, stay in the signed bytes, are NULL in the
row, and are counted in ``unstored``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from exchange.derive.columns import Decoded, are_offsets, copy_fields, decode_columns
from exchange.segments.model import Summary
from exchange.segments.summary import SUMMARISED, summaries
from schemas.catalogue import SIGNALS
from schemas.columns import Column
from schemas.limits import TIME_MS_MAX
from schemas.segment import Segment

_ELEMENT_BYTES = {signal.id: int(signal.storage[-1]) for signal in SIGNALS.values()}
_LARGEST = {2: 2**15 - 1, 4: 2**31 - 1}


@dataclass(slots=True)
class NormalSegment:
    """What the columns of one segment become. ``good`` is False when one breaks a rule."""

    good: bool
    t_end: int
    signals: dict[int, bytes] = field(default_factory=dict)
    """Binary COPY fields by signal id."""
    offsets: bytes | None = None
    unstored: int = 0
    summary: Summary = field(default_factory=Summary)


@dataclass(slots=True)
class _Columns:
    """Columns of one destination, each with its row and, for samples, its signal."""

    columns: list[Column] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)

    def add(self, column: Column, n: int, row: int, signal: int = 0) -> None:
        self.columns.append(column)
        self.counts.append(n)
        self.rows.append(row)
        self.signals.append(signal)


@dataclass(slots=True)
class _Sorted:
    """The columns of a batch by what becomes of them."""

    stored: dict[int, _Columns] = field(default_factory=lambda: {2: _Columns(), 4: _Columns()})
    """By bytes of an array element."""
    times: _Columns = field(default_factory=_Columns)
    unknown: _Columns = field(default_factory=_Columns)
    bursts: _Columns = field(default_factory=_Columns)


def normalise(segments: Sequence[Segment]) -> list[NormalSegment]:
    """Decode, check and encode every column of a batch; one bad segment spoils only itself."""
    normal = [NormalSegment(True, _regular_end(segment)) for segment in segments]
    batch = _sort_columns(segments)
    places: dict[tuple[int, int], tuple[Decoded, int]] = {}
    for element_bytes, group in batch.stored.items():
        decoded = _checked(normal, group)
        _place_signals(normal, group, decoded, element_bytes)
        for place, signal in enumerate(group.signals):
            if signal in SUMMARISED:
                places[group.rows[place], signal] = (decoded, place)
    _place_times(normal, segments, batch.times)
    _count_unknown(normal, batch.unknown)
    _checked(normal, batch.bursts)
    for one, summary in zip(normal, summaries(len(segments), places), strict=True):
        one.summary = summary
    return normal


def _sort_columns(segments: Sequence[Segment]) -> _Sorted:
    batch = _Sorted()
    for row, segment in enumerate(segments):
        block = segment.block
        for signal, column in block.columns.items():
            group = batch.stored.get(_ELEMENT_BYTES.get(signal, 0), batch.unknown)
            group.add(column, block.n, row, signal)
        if block.offsets is not None:
            batch.times.add(block.offsets, block.n, row)
        for burst in segment.bursts:
            for column in burst.columns.values():
                batch.bursts.add(column, burst.n, row)
    return batch


def _checked(normal: Sequence[NormalSegment], group: _Columns) -> Decoded:
    decoded = decode_columns(group.columns, group.counts)
    for place in np.flatnonzero(~decoded.good):
        normal[group.rows[place]].good = False
    return decoded


def _place_signals(
    normal: Sequence[NormalSegment], group: _Columns, decoded: Decoded, element_bytes: int
) -> None:
    made = copy_fields(decoded, element_bytes, _LARGEST[element_bytes])
    for row, signal, encoded in zip(group.rows, group.signals, made.fields, strict=True):
        normal[row].signals[signal] = encoded
    for place in np.flatnonzero(made.unstored):
        normal[group.rows[place]].unstored += int(made.unstored[place])


def _place_times(
    normal: Sequence[NormalSegment], segments: Sequence[Segment], times: _Columns
) -> None:
    decoded = _checked(normal, times)
    made = copy_fields(decoded, 8, TIME_MS_MAX)
    for place, (row, encoded) in enumerate(zip(times.rows, made.fields, strict=True)):
        values, present = decoded.column(place)
        if are_offsets(values, present):
            normal[row].t_end = _clamped(segments[row].t0, int(values[-1]))
            normal[row].offsets = encoded
        else:
            normal[row].good = False


def _count_unknown(normal: Sequence[NormalSegment], unknown: _Columns) -> None:
    decoded = _checked(normal, unknown)
    for place, row in enumerate(unknown.rows):
        normal[row].unstored += int(np.count_nonzero(decoded.column(place)[1]))


def _regular_end(segment: Segment) -> int:
    return _clamped(segment.t0, (segment.block.n - 1) * (segment.block.step_ms or 0))


def _clamped(t0: int, span_ms: int) -> int:
    """A wrong clock is no reason to refuse, but the row's end stays a time that SQL knows."""
    return min(t0 + span_ms, TIME_MS_MAX)
