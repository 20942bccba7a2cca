"""Summary columns of many segments at once: speed, distance, bounding box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from exchange.derive.columns import Decoded, Flags, Int64s
from exchange.segments.model import Summary
from schemas.catalogue import BY_PATH, Signal

_SPEEDS = tuple(BY_PATH[path] for path in ("Vehicle.Speed", "Vehicle.CurrentLocation.Speed"))
"""The first that a segment has."""
_LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"]
_LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"]

SUMMARISED: tuple[Signal, ...] = (*_SPEEDS, _LATITUDE, _LONGITUDE)
"""Signals that summaries are made of."""

_EARTH_RADIUS_M = 6_371_008.8
_RADIANS = float(_LATITUDE.scale) * np.pi / 180
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class SignalOfRows:
    """One signal of the rows that have it, behind one another."""

    rows: Int64s
    values: Int64s
    usable: Flags
    starts: Int64s
    lengths: Int64s

    @classmethod
    def of(cls, signal: Signal, decoded: Decoded, places: Int64s, rows: Int64s) -> Self:
        """The columns at ``places``, which hold this signal for ``rows``, ascending."""
        lengths = decoded.ends[places] - decoded.starts[places]
        whole = lengths > 0
        places, rows, lengths = places[whole], rows[whole], lengths[whole]
        starts = np.cumsum(lengths) - lengths
        at = np.repeat(decoded.starts[places] - starts, lengths) + np.arange(int(lengths.sum()))
        values = decoded.values[at]
        fits = (values <= signal.stored_max) & (values >= -signal.stored_max)
        return cls(rows, values, decoded.present[at] & fits, starts, lengths)

    def of_rows(self, rows: Int64s) -> Flags:
        """Which values are of these rows."""
        return np.repeat(np.isin(self.rows, rows), self.lengths)


@dataclass(frozen=True, slots=True)
class _Extents:
    """By row: whether it has a usable value, and the smallest, largest and mean of those."""

    some: Flags
    least: Int64s
    largest: Int64s
    mean: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int, signal: SignalOfRows | None) -> Self:
        some = np.zeros(rows, np.bool_)
        least, largest = np.zeros((2, rows), np.int64)
        mean = np.zeros(rows)
        if signal is not None and len(signal.rows):
            usable, starts, at = signal.usable, signal.starts, signal.rows
            counts = np.add.reduceat(usable, starts, dtype=np.int64)
            some[at] = counts > 0
            least[at] = np.minimum.reduceat(np.where(usable, signal.values, _INT64.max), starts)
            largest[at] = np.maximum.reduceat(np.where(usable, signal.values, _INT64.min), starts)
            sums = np.add.reduceat(np.where(usable, signal.values, 0), starts)
            mean[at] = sums / np.maximum(counts, 1)
        return cls(some, least, largest, mean)

    def where(self, rows: Flags, other: Self) -> Self:
        """These extents in some rows, the other's in the rest."""
        return type(self)(
            np.where(rows, self.some, other.some),
            np.where(rows, self.least, other.least),
            np.where(rows, self.largest, other.largest),
            np.where(rows, self.mean, other.mean),
        )


def summaries(rows: int, signals: Mapping[int, SignalOfRows]) -> list[Summary]:
    """The summary of each of ``rows`` segments, from the ``SUMMARISED`` signals, by their ids."""
    first, second = (signals.get(speed.id) for speed in _SPEEDS)
    has_first = np.zeros(rows, np.bool_)
    if first is not None:
        has_first[first.rows] = True
    speed = _Extents.of(rows, first).where(has_first, _Extents.of(rows, second))
    latitude, longitude = signals.get(_LATITUDE.id), signals.get(_LONGITUDE.id)
    metres, fixed = np.zeros(rows), np.zeros(rows, np.bool_)
    south_north = west_east = _Extents.of(rows, None)
    if latitude is not None and longitude is not None:
        metres, fixed, both = _distances(rows, latitude, longitude)
        south_north = _Extents.of(rows, latitude).where(both, south_north)
        west_east = _Extents.of(rows, longitude).where(both, west_east)
    columns = (
        *_or_none(speed.some, speed.least, speed.largest, speed.mean),
        *_or_none(fixed, metres),
        *_or_none(south_north.some, south_north.least, south_north.largest),
        *_or_none(west_east.some, west_east.least, west_east.largest),
    )
    return [Summary(*row) for row in zip(*columns, strict=True)]


def _distances(
    rows: int, latitude: SignalOfRows, longitude: SignalOfRows
) -> tuple[NDArray[np.float64], Flags, Flags]:
    """The sum of chords between fixes, on a sphere flattened at their latitude.

    By row: metres, whether it has a fix, whether it has both columns.
    """
    shared = np.intersect1d(latitude.rows, longitude.rows, assume_unique=True)
    both = np.isin(np.arange(rows), shared)
    north_of, east_of = latitude.of_rows(shared), longitude.of_rows(shared)
    fix = latitude.usable[north_of] & longitude.usable[east_of]
    of_row = np.repeat(latitude.rows, latitude.lengths)[north_of][fix]
    north = latitude.values[north_of][fix] * _RADIANS
    east = longitude.values[east_of][fix] * _RADIANS
    same = of_row[1:] == of_row[:-1]
    turn = (np.diff(east) + np.pi) % (2 * np.pi) - np.pi
    chords = np.hypot(np.diff(north), turn * np.cos((north[1:] + north[:-1]) / 2))
    metres = np.bincount(of_row[1:][same], chords[same] * _EARTH_RADIUS_M, minlength=rows)
    return metres.astype(np.float64), np.bincount(of_row, minlength=rows) > 0, both


def _or_none(some: Flags, *columns: NDArray[Any]) -> list[Sequence[Any]]:
    """Columns of Python values, None in the rows that have none."""
    if some.all():
        return [column.tolist() for column in columns]
    nothing = np.full(len(some), None)
    return [np.where(some, column.astype(object), nothing).tolist() for column in columns]
