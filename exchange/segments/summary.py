"""Summary columns of many segments at once: speed, distance, bounding box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exchange.derive.columns import Decoded, Flags, Int64s
from exchange.segments.model import Summary
from schemas.catalogue import BY_PATH, Signal

Places = Mapping[tuple[int, int], tuple[Decoded, int]]
"""Where (row, signal id) was decoded, and as which column."""

_SPEEDS = tuple(BY_PATH[path] for path in ("Vehicle.Speed", "Vehicle.CurrentLocation.Speed"))
"""The first that a segment has."""
_LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"]
_LONGITUDE = BY_PATH["Vehicle.CurrentLocation.Longitude"]

SUMMARISED = frozenset(signal.id for signal in (*_SPEEDS, _LATITUDE, _LONGITUDE))
"""Signals that summaries are made of."""

_EARTH_RADIUS_M = 6_371_008.8
_RADIANS = float(_LATITUDE.scale) * np.pi / 180


_Extent = tuple[int, int, float]
"""Smallest, largest and mean value."""


@dataclass(frozen=True, slots=True)
class _Gathered:
    """One signal of the rows that have it, behind one another."""

    rows: list[int]
    values: Int64s
    usable: Flags
    starts: Int64s
    lengths: Int64s


def summaries(rows: int, places: Places) -> list[Summary]:
    """The summary of each of ``rows`` segments."""
    speed_of = {
        row: next((s.id for s in _SPEEDS if (row, s.id) in places), None) for row in range(rows)
    }
    speeds = _extent(
        _gather(places, [(r, s) for r, s in speed_of.items() if s is not None], _SPEEDS[0])
    )
    fixed = [
        row
        for row in range(rows)
        if (row, _LATITUDE.id) in places and (row, _LONGITUDE.id) in places
    ]
    latitude = _gather(places, [(row, _LATITUDE.id) for row in fixed], _LATITUDE)
    longitude = _gather(places, [(row, _LONGITUDE.id) for row in fixed], _LONGITUDE)
    south_north, west_east = _extent(latitude), _extent(longitude)
    distances = _distances(latitude, longitude)
    return [
        _summary(speeds.get(row), south_north.get(row), west_east.get(row), distances.get(row))
        for row in range(rows)
    ]


def _summary(
    speed: _Extent | None,
    south_north: _Extent | None,
    west_east: _Extent | None,
    distance_m: float | None,
) -> Summary:
    speed_min, speed_max, speed_mean = speed or (None, None, None)
    latitude_min, latitude_max, _ = south_north or (None, None, None)
    longitude_min, longitude_max, _ = west_east or (None, None, None)
    return Summary(
        speed_min,
        speed_max,
        speed_mean,
        distance_m,
        latitude_min,
        latitude_max,
        longitude_min,
        longitude_max,
    )


def _gather(places: Places, wanted: Sequence[tuple[int, int]], signal: Signal) -> _Gathered:
    found = [(key[0], *places[key][0].column(places[key][1])) for key in wanted]
    whole = [one for one in found if len(one[1])]
    flat = np.concatenate([np.empty(0, np.int64), *[values for _, values, _ in whole]])
    there = np.concatenate([np.empty(0, np.bool_), *[present for _, _, present in whole]])
    lengths = np.array([len(values) for _, values, _ in whole], np.int64)
    usable = there & (flat <= signal.stored_max) & (flat >= -signal.stored_max)
    starts = np.cumsum(lengths) - lengths
    return _Gathered([row for row, _, _ in whole], flat, usable, starts, lengths)


def _extent(gathered: _Gathered) -> dict[int, _Extent]:
    if not len(gathered.values):
        return {}
    info = np.iinfo(np.int64)
    usable, starts = gathered.usable, gathered.starts
    counts = np.add.reduceat(usable, starts, dtype=np.int64)
    least = np.minimum.reduceat(np.where(usable, gathered.values, info.max), starts)
    largest = np.maximum.reduceat(np.where(usable, gathered.values, info.min), starts)
    mean = np.add.reduceat(np.where(usable, gathered.values, 0), starts) / np.maximum(counts, 1)
    figures = zip(
        gathered.rows,
        counts.tolist(),
        zip(least.tolist(), largest.tolist(), mean.tolist(), strict=True),
        strict=True,
    )
    return {row: extent for row, count, extent in figures if count}


def _distances(latitude: _Gathered, longitude: _Gathered) -> dict[int, float]:
    """Per row the sum of chords between its fixes, on a sphere flattened at their latitude."""
    if latitude.rows != longitude.rows or not latitude.rows:
        return {}
    fix = latitude.usable & longitude.usable
    of_row = np.repeat(np.array(latitude.rows), latitude.lengths)[fix]
    north = latitude.values[fix] * _RADIANS
    east = longitude.values[fix] * _RADIANS
    same = of_row[1:] == of_row[:-1]
    turn = (np.diff(east) + np.pi) % (2 * np.pi) - np.pi
    chords = np.hypot(np.diff(north), turn * np.cos((north[1:] + north[:-1]) / 2))
    rows = latitude.rows[-1] + 1
    metres = np.bincount(of_row[1:][same], chords[same] * _EARTH_RADIUS_M, minlength=rows)
    return {int(row): float(metres[row]) for row in np.unique(of_row)}
