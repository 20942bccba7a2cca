"""Columns of a segment: one signal's values over n samples, as deltas in a typed array.

A column is ``[first, deltas]``: n deltas in the narrowest RFC 8746 little-endian signed array, each
against the previous present value, 0 at the first present one. The array type's minimum means
missing. This is the truck's plain form; intake decodes the same columns with numpy.
"""

import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from schemas.errors import malformed
from schemas.limits import INT64_MAX, INT64_MIN

TAG_OF_WIDTH = {1: 72, 2: 77, 4: 78, 8: 79}
WIDTH_OF_TAG = {tag: width for width, tag in TAG_OF_WIDTH.items()}

_TYPECODE = {1: "b", 2: "h", 4: "i", 8: "q"}


class Column(NamedTuple):
    """An encoded column: ``deltas`` are n little-endian signed integers of ``width`` bytes."""

    first: int
    width: int
    deltas: bytes


def missing_of(width: int) -> int:
    """The value that means missing in an array of this width: the type's minimum."""
    return -(1 << (8 * width - 1))


def encode_column(values: Sequence[int | None]) -> Column | None:
    """Encode values in catalogue scale; None when no value is present (the signal is absent).

    ``ValueError`` when a value, or the step between two, does not fit int64.
    """
    first = next((value for value in values if value is not None), None)
    if first is None:
        return None
    deltas: list[int | None] = []
    previous = first
    for value in values:
        deltas.append(None if value is None else value - previous)
        previous = previous if value is None else value
    present = [delta for delta in deltas if delta is not None]
    width = _narrowest(min(present), max(present))
    _require_int64(min(v for v in values if v is not None), max(v for v in values if v is not None))
    missing = missing_of(width)
    items = array(_TYPECODE[width], [missing if d is None else d for d in deltas])
    return Column(first, width, _little_endian(items).tobytes())


def decode_column(column: Column, n: int) -> list[int | None]:
    """The n values of a column; ``StatementRefused(malformed)`` when it breaks a rule."""
    if len(column.deltas) != n * column.width:
        raise malformed("a column does not have one delta per sample")
    items = array(_TYPECODE[column.width])
    items.frombytes(column.deltas)
    missing = missing_of(column.width)
    deltas = [None if item == missing else item for item in _little_endian(items)]
    _check_deltas([delta for delta in deltas if delta is not None], column.width)
    values: list[int | None] = []
    value = column.first
    for delta in deltas:
        value += delta or 0
        values.append(None if delta is None else value)
    present = [v for v in values if v is not None]
    if min(present) < INT64_MIN or max(present) > INT64_MAX:
        raise malformed("a value of a column does not fit 64 bits")
    return values


def _check_deltas(present: list[int], width: int) -> None:
    if not present:
        raise malformed("a column without any value")
    if present[0] != 0:
        raise malformed("the delta at a column's first value is not 0")
    if _narrowest(min(present), max(present)) != width:
        raise malformed("a column is wider than its deltas need")


def _narrowest(smallest: int, largest: int) -> int:
    for width in TAG_OF_WIDTH:
        limit = (1 << (8 * width - 1)) - 1
        if -limit <= smallest and largest <= limit:
            return width
    raise ValueError("a step between two values does not fit 64 bits")


def _require_int64(smallest: int, largest: int) -> None:
    if smallest < INT64_MIN or largest > INT64_MAX:
        raise ValueError("a value does not fit 64 bits")


def _little_endian(items: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        items.byteswap()
    return items
