"""Distances in millimetres along fixes, the same on every processor.

A chord is computed in float64 with + - * / and the square root only, which IEEE 754 fixes to the
last bit, one numpy operation at a time so that no compiler fuses two of them. It is rounded to the
millimetre, and millimetres are summed as integers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exchange.derive.samples import LATITUDE, LONGITUDE, Flags, Int64s, Samples
from exchange.derive.thresholds import Thresholds

Floats = NDArray[np.float64]

_RADIANS_PER_STEP = 3.141592653589793 / 180 / 10_000_000
_QUARTER_TURN = 900_000_000
_HALF_TURN = 1_800_000_000
_SEMI_MAJOR_MM = 6_378_137_000.0
_ECCENTRICITY_SQUARED = 0.0066943799901413165
"""WGS 84 (NGA.STND.0036): a, and f (2 - f) with f = 1 / 298.257223563."""

_COSINE = (
    1.0,
    -0.5,
    1 / 24,
    -1 / 720,
    1 / 40_320,
    -1 / 3_628_800,
    1 / 479_001_600,
    -1 / 87_178_291_200,
    1 / 20_922_789_888_000,
    -1 / 6_402_373_705_728_000,
)
"""Taylor's series to x^18: within 3e-15 for angles up to a right one."""


@dataclass(frozen=True, slots=True)
class Fixes:
    """Positions of one source, ascending by time; latitude and longitude in 1e-7 degrees.

    ``rows`` are the samples that they come from.
    """

    rows: Int64s
    times: Int64s
    latitudes: Int64s
    longitudes: Int64s

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Path:
    """The way along fixes: for each of the n - 1 steps its ms, its mm, and what it counts as."""

    steps_ms: Int64s
    chords_mm: Int64s
    driven: Flags
    """Counted as distance."""
    impossible: Flags
    """Farther than any vehicle drives in the time."""
    across_gap: Flags

    @property
    def driven_mm(self) -> int:
        """The distance."""
        return int(self.chords_mm[self.driven].sum())

    @property
    def across_gaps(self) -> tuple[int, int]:
        """Of the distance, mm across gaps; and how many chords."""
        counted = self.driven & self.across_gap
        return int(self.chords_mm[counted].sum()), int(counted.sum())

    @property
    def standing_mm(self) -> int:
        """What the fixes wandered while the vehicle stood."""
        return int(self.chords_mm[~self.driven & ~self.impossible].sum())


def usable_fixes(samples: Samples) -> Flags:
    """Which samples have a position on earth; 0, 0 is what a receiver without a fix says."""
    latitude, longitude = samples.series[LATITUDE], samples.series[LONGITUDE]
    on_earth = _within(latitude.values, _QUARTER_TURN) & _within(longitude.values, _HALF_TURN)
    nowhere = (latitude.values == 0) & (longitude.values == 0)
    usable: Flags = latitude.present & longitude.present & on_earth & ~nowhere
    return usable


def fixes_by_source(samples: Samples) -> list[Fixes]:
    """The usable positions of each source, sources in the order of their numbers."""
    usable = usable_fixes(samples)
    found = []
    for source in np.unique(samples.sources[usable]):
        rows = np.flatnonzero(usable & (samples.sources == source))
        latitudes = samples.series[LATITUDE].values[rows]
        longitudes = samples.series[LONGITUDE].values[rows]
        found.append(Fixes(rows, samples.times[rows], latitudes, longitudes))
    return found


def chords_mm(from_lat: Int64s, from_lon: Int64s, to_lat: Int64s, to_lon: Int64s) -> Int64s:
    """Straight distance over the ellipsoid between points in 1e-7 degrees, to the millimetre.

    By the radii of curvature at the middle latitude: within 0.1 % up to 500 km away from the poles.
    """
    middle = (from_lat + to_lat).astype(np.float64) * (0.5 * _RADIANS_PER_STEP)
    north = (to_lat - from_lat).astype(np.float64) * _RADIANS_PER_STEP
    turned = (to_lon - from_lon + _HALF_TURN) % (2 * _HALF_TURN) - _HALF_TURN
    east = turned.astype(np.float64) * _RADIANS_PER_STEP
    cosine = _cosine(middle)
    bulge = 1.0 - _ECCENTRICITY_SQUARED * (1.0 - cosine * cosine)
    across = _SEMI_MAJOR_MM / np.sqrt(bulge)
    along = across * (1.0 - _ECCENTRICITY_SQUARED) / bulge
    dx = across * cosine * east
    dy = along * north
    whole: Int64s = np.rint(np.sqrt(dx * dx + dy * dy)).astype(np.int64)
    return whole


def path_along(fixes: Fixes, rolling: Flags, limits: Thresholds) -> Path:
    """The way along the fixes; ``rolling`` says for every sample whether the vehicle moved.

    A step counts when the vehicle moves at either end, or when it comes out of a gap elsewhere than
    it went in. Fixes that wander while it stands add nothing.
    """
    chords = chords_mm(
        fixes.latitudes[:-1], fixes.longitudes[:-1], fixes.latitudes[1:], fixes.longitudes[1:]
    )
    steps = np.diff(fixes.times)
    impossible = (chords > limits.jump_mm) & too_fast(chords, steps, limits.jump_speed)
    across_gap = steps > limits.gap_ms
    moved = rolling[fixes.rows[:-1]] | rolling[fixes.rows[1:]]
    moved |= across_gap & (chords > limits.displaced_mm)
    return Path(steps, chords, moved & ~impossible, impossible, across_gap)


def too_fast(distances_mm: Int64s, times_ms: Int64s, speed: int) -> Flags:
    """Whether a distance in a time needs more than ``speed`` (0.01 km/h); exact in integers."""
    fast: Flags = distances_mm * 360 > times_ms * speed
    return fast


def speeds_of(distances_mm: Int64s, times_ms: Int64s) -> Int64s:
    """Speeds in 0.01 km/h, rounded down; times of at least 1 ms."""
    speeds: Int64s = distances_mm * 360 // times_ms
    return speeds


def _within(values: Int64s, largest: int) -> Flags:
    within: Flags = (values >= -largest) & (values <= largest)
    return within


def _cosine(angle: Floats) -> Floats:
    square = angle * angle
    total = np.full_like(square, _COSINE[-1])
    for coefficient in reversed(_COSINE[:-1]):
        total = total * square
        total = total + coefficient
    return total
