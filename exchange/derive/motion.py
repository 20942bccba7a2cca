"""What a vehicle does at each of its samples: its speed, whether it moves, whether its engine runs.

Everything here depends on samples from the first one given onwards, and on none that is later than
the moment judged by more than ``Thresholds.lookahead_ms``. That lets a trip be derived again from
its own samples alone.
"""

from dataclasses import dataclass

import numpy as np

from exchange.derive.distance import Fixes, chords_mm, fixes_by_source, speeds_of
from exchange.derive.samples import (
    ENGINE_RUNNING,
    ENGINE_SPEED,
    GNSS_SPEED,
    IGNITION,
    ODOMETER,
    ODOMETER_FINE,
    SPEED,
    TACHOGRAPH_SPEED,
    Flags,
    Int64s,
    Samples,
    Series,
)
from exchange.derive.thresholds import Thresholds
from schemas.catalogue import SIGNALS

_SPEEDS = (SPEED, TACHOGRAPH_SPEED, GNSS_SPEED)
"""Sources of speed, the best first; speed along fixes comes after them."""

_IGNITION_ON = SIGNALS[IGNITION].values.index("ON")

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Motion:
    """Per sample; ``speeds`` in 0.01 km/h, ``UNKNOWN`` where nothing tells."""

    speeds: Int64s
    moving: Flags
    """In a run above the start speed that lasts, until it stands again."""
    evident: Flags
    """That it moves or its engine runs was measured at this very sample, not held from before."""
    engine_on: Flags
    engine_off: Flags
    """Known to be off; neither on nor off: unknown."""
    displaced: Flags
    """The vehicle went somewhere else in the gap after this sample."""


def motion_of(samples: Samples, limits: Thresholds) -> Motion:
    """Judge every sample; the first one starts with nothing held from before it."""
    fixes = fixes_by_source(samples)
    sources = [_in_range(samples.series[signal], limits.speed_max) for signal in _SPEEDS]
    sources.append(_speed_along(fixes, len(samples), limits))
    speeds = _speeds(samples.times, sources, limits)
    moving = _sustained(samples.times, _moving(speeds, limits), limits.start_hold_ms)
    engine_on, engine_off = _engine(samples, limits)
    measured = np.logical_or.reduce([source.present for source in sources])
    return Motion(
        speeds=speeds,
        moving=moving,
        evident=(moving & measured) | engine_runs(samples, limits),
        engine_on=engine_on,
        engine_off=engine_off,
        displaced=_displaced(samples, fixes, limits),
    )


def ignition_on(samples: Samples) -> Flags:
    """Whether a sample itself says that the ignition is on."""
    ignition = samples.series[IGNITION]
    on: Flags = ignition.present & (ignition.values >= _IGNITION_ON)
    return on


def engine_runs(samples: Samples, limits: Thresholds) -> Flags:
    """Whether a sample itself says that the engine runs."""
    speed, running = samples.series[ENGINE_SPEED], samples.series[ENGINE_RUNNING]
    by_speed = speed.present & (speed.values >= limits.engine_speed_min)
    runs: Flags = by_speed | (running.present & (running.values == 1))
    return runs


def rolling_of(speeds: Int64s, moving: Flags, limits: Thresholds) -> Flags:
    """Samples above standing speed in one stretch with a moving one: a start to its first metre."""
    if not len(speeds):
        return moving
    above = (speeds > limits.standing_speed) | moving
    starts = _run_starts(above)
    lengths = np.diff(np.append(starts, len(above)))
    rolling: Flags = np.repeat(np.logical_or.reduceat(moving, starts), lengths)
    return rolling


def runs_of(flags: Flags) -> list[tuple[int, int]]:
    """Runs of true as (first, behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def still_runs(still: Flags, displaced: Flags) -> list[tuple[int, int, bool]]:
    """Runs of standing still as (first, behind the last, lasts until the sample behind the last).

    A gap that the vehicle left elsewhere than it entered it ends a run at the sample before.
    """
    found = []
    for first, behind in runs_of(still):
        cuts = (np.flatnonzero(displaced[first:behind]) + first + 1).tolist()
        for begin, end in zip([first, *cuts], [*cuts, behind], strict=True):
            if begin < end:
                found.append((begin, end, not displaced[end - 1]))
    return found


def last_present(present: Flags) -> Int64s:
    """For each sample the index of the newest present one up to it, -1 before the first."""
    indices = np.where(present, np.arange(len(present)), -1)
    newest: Int64s = np.maximum.accumulate(indices) if len(indices) else indices
    return newest


def _held(times: Int64s, series: Series, hold_ms: int) -> Series:
    newest = last_present(series.present)
    counts = (newest >= 0) & (times - times[newest] <= hold_ms)
    return Series(np.where(counts, series.values[newest], UNKNOWN), counts)


def _in_range(series: Series, largest: int) -> Series:
    good = series.present & (series.values >= 0) & (series.values <= largest)
    return Series(series.values, good)


def _speeds(times: Int64s, sources: list[Series], limits: Thresholds) -> Int64s:
    """The best source's held value; where all are stale, a vehicle last seen standing stands."""
    held = [_held(times, source, limits.hold_ms) for source in sources]
    measured = np.logical_or.reduce([source.present for source in sources[:-1]])
    zero = np.logical_or.reduce([source.present & (source.values == 0) for source in sources[:-1]])
    newest = last_present(measured)
    stood = (newest >= 0) & zero[newest]
    values = [one.values for one in held]
    return np.select([one.present for one in held], values, np.where(stood, 0, UNKNOWN))


def _speed_along(sources: list[Fixes], n: int, limits: Thresholds) -> Series:
    """From each fix to the last one within the baseline, or to the next if that is soon enough."""
    values, present = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    for fixes in sources:
        if len(fixes) < 2:
            continue
        here = np.arange(len(fixes) - 1)
        within = np.searchsorted(fixes.times, fixes.times[:-1] + limits.baseline_ms, "right") - 1
        there = np.maximum(within, here + 1)
        steps = fixes.times[there] - fixes.times[here]
        chords = chords_mm(
            fixes.latitudes[here],
            fixes.longitudes[here],
            fixes.latitudes[there],
            fixes.longitudes[there],
        )
        soon = steps <= limits.hold_ms
        rows = fixes.rows[here][soon]
        values[rows], present[rows] = speeds_of(chords[soon], steps[soon]), True
    return _in_range(Series(values, present), limits.jump_speed)


def _moving(speeds: Int64s, limits: Thresholds) -> Flags:
    """Above the start speed it moves, until it stands or nothing tells any more."""
    starts = speeds > limits.start_speed
    newest = last_present(starts | (speeds <= limits.standing_speed))
    moving: Flags = (newest >= 0) & starts[newest]
    return moving


def _sustained(times: Int64s, moving: Flags, hold_ms: int) -> Flags:
    """Without the runs that are shorter than ``hold_ms``."""
    if not moving.any():
        return moving
    starts = _run_starts(moving)
    ends = np.append(starts[1:], len(moving) - 1)
    lasts = times[ends] - times[starts] >= hold_ms
    kept: Flags = moving & np.repeat(lasts, np.diff(np.append(starts, len(moving))))
    return kept


def _run_starts(flags: Flags) -> Int64s:
    changes = np.flatnonzero(flags[1:] != flags[:-1]) + 1
    return np.concatenate([np.zeros(1, np.int64), changes])


def _engine(samples: Samples, limits: Thresholds) -> tuple[Flags, Flags]:
    """On, and known to be off."""
    times = samples.times
    speed = _held(times, _not_negative(samples.series[ENGINE_SPEED]), limits.hold_ms)
    running = _held(times, samples.series[ENGINE_RUNNING], limits.hold_ms)
    ignition = _held(times, samples.series[IGNITION], limits.hold_ms)
    known = [speed.present, running.present, ignition.present]
    says_on = [
        speed.values >= limits.engine_speed_min,
        running.values == 1,
        ignition.values >= _IGNITION_ON,
    ]
    on = np.select(known, says_on, False)
    return on, np.logical_or.reduce(known) & ~on


def _not_negative(series: Series) -> Series:
    return Series(series.values, series.present & (series.values >= 0))


def _displaced(samples: Samples, sources: list[Fixes], limits: Thresholds) -> Flags:
    """Gaps (marked at the sample before) with another place or odometer reading behind them."""
    displaced = np.zeros(len(samples), np.bool_)
    before = np.flatnonzero(np.diff(samples.times) > limits.gap_ms)
    for fixes in sources:
        pairs = _around(fixes.times, samples.times, before, limits)
        near, far = pairs[1], pairs[2]
        chords = chords_mm(
            fixes.latitudes[near],
            fixes.longitudes[near],
            fixes.latitudes[far],
            fixes.longitudes[far],
        )
        displaced[pairs[0][chords > limits.displaced_mm]] = True
    for signal in (ODOMETER, ODOMETER_FINE):
        rows = np.flatnonzero(samples.series[signal].present)
        pairs = _around(samples.times[rows], samples.times, before, limits)
        readings = samples.series[signal].values[rows]
        driven_m = readings[pairs[2]] - readings[pairs[1]]
        displaced[pairs[0][driven_m * 1000 > limits.displaced_mm]] = True
    return displaced


def _around(
    known: Int64s, times: Int64s, before: Int64s, limits: Thresholds
) -> tuple[Int64s, Int64s, Int64s]:
    """Gaps with something known on both sides: the gap, the newest before, the first after it.

    After the gap it has to come within ``baseline_ms``.
    """
    near = np.searchsorted(known, times[before], "right") - 1
    far = near + 1
    both = (near >= 0) & (far < len(known))
    before, near, far = before[both], near[both], far[both]
    soon = known[far] <= times[before + 1] + limits.baseline_ms
    return before[soon], near[soon], far[soon]
