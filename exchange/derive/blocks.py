"""Inflated sample blocks of many segments read at once, column by column, by numpy.

The rules are those of ``schemas.samples.read_block``, which is the same in plain Python. All blocks
go in step: the first column of each, then the second of each, and so on. A block that breaks a rule
is not judged here but left over for the plain reader, which says what is wrong with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exchange.derive.columns import Flags, Int64s, PackedColumns
from exchange.derive.heads import MAP, TAG, UNSIGNED, Cursor, Encodings
from schemas.columns import WIDTH_OF_TAG
from schemas.limits import INFLATED_BYTES_MAX, INT64_MAX, SAMPLES_MAX, SIGNALS_MAX, TIME_MS_MAX
from schemas.samples import SINGLE_SAMPLE_STEP_MS

TIME = -1
"""Stands for a signal id where a column holds the times of irregular samples."""

_PAIR, _TRIPLE = 0x82, 0x83
"""Heads of arrays: how every column begins, and how a block does."""

_NOTHING = tuple(np.empty(0, np.int64) for _ in range(6))

_WIDTH_OF_TAG = np.zeros(256, np.int64)
for _tag, _width in WIDTH_OF_TAG.items():
    _WIDTH_OF_TAG[_tag] = _width


@dataclass(frozen=True, slots=True)
class Blocks:
    """What was read of a batch, by the place of a block in it.

    ``step_ms`` is 0 where the times are a column. ``columns`` are those of all blocks that are
    ``good``, in no order that means anything, with the block and the signal of each.
    """

    good: Flags
    n: Int64s
    step_ms: Int64s
    columns: PackedColumns
    rows: Int64s
    signals: Int64s


def read_blocks(blocks: Sequence[bytes]) -> Blocks:
    """Read inflated blocks without looking inside their columns, as ``read_block`` does."""
    reading = _Reading(Cursor(Encodings(blocks)))
    n, step_ms, columns = reading.openings(np.arange(len(blocks)))
    previous = np.full(len(blocks), -1, np.int64)
    for done in range(int(columns.max(initial=0))):
        rows = np.flatnonzero(reading.cursor.good & (columns > done))
        previous[rows] = reading.columns(rows, n[rows], previous[rows])
    return reading.result(n, step_ms)


class _Reading:
    """A cursor, and the columns that it has met."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._met: list[tuple[Int64s, ...]] = []

    def openings(self, rows: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """``[n, time, {`` of every block: n, step (0 when irregular), number of columns."""
        cursor = self.cursor
        cursor.octets(rows, _TRIPLE)
        n = cursor.argument(rows, UNSIGNED, SAMPLES_MAX)
        cursor.expect(rows, n >= 1)
        irregular = cursor.next_is(rows, _PAIR)
        step_ms = np.zeros(len(rows), np.int64)
        regular = np.flatnonzero(~irregular)
        step_ms[regular] = cursor.argument(regular, UNSIGNED, TIME_MS_MAX)
        single = (n[regular] == 1) & (step_ms[regular] != SINGLE_SAMPLE_STEP_MS)
        cursor.expect(regular, (step_ms[regular] >= 1) & ~single)
        timed = np.flatnonzero(irregular)
        cursor.expect(timed, n[timed] >= 3)  # one interval is always regular
        self._column(timed, np.full(len(timed), TIME), n[timed])
        return n, step_ms, cursor.argument(rows, MAP, SIGNALS_MAX)

    def columns(self, rows: Int64s, n: Int64s, previous: Int64s) -> Int64s:
        """The next column of each row; its signal, which is larger than the one before."""
        signals = self.cursor.argument(rows, UNSIGNED, INT64_MAX)
        self.cursor.expect(rows, signals > previous)
        self._column(rows, signals, n)
        return signals

    def result(self, n: Int64s, step_ms: Int64s) -> Blocks:
        """What was met, without the columns of blocks that turned out to be left over."""
        good = self.cursor.finish()
        met = [np.concatenate(part) for part in zip(_NOTHING, *self._met, strict=True)]
        kept = good[met[0]]
        rows, signals, starts, widths, counts, firsts = (one[kept] for one in met)
        packed = PackedColumns(self.cursor.encodings.data, starts, widths, counts, firsts)
        return Blocks(good, n, step_ms, packed, rows, signals)

    def _column(self, rows: Int64s, signals: Int64s, n: Int64s) -> None:
        """``[first, deltas]`` of each row, at the width that its tag names."""
        cursor = self.cursor
        cursor.octets(rows, _PAIR)
        heads = cursor.encodings.heads_at(cursor.at[rows])
        firsts, whole = heads.integers()
        cursor.expect(rows, whole)
        cursor.at[rows] = heads.next
        widths = _WIDTH_OF_TAG[cursor.argument(rows, TAG, 255)]
        starts, lengths = cursor.byte_strings(rows, INFLATED_BYTES_MAX)
        cursor.expect(rows, (widths > 0) & (lengths == n * widths))
        self._met.append((rows, signals, starts, widths, n, firsts))
