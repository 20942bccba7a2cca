"""Do a trip's sources agree? Findings of three classes, each with where its evidence lies.

*Quality* is noise. *Not assessable* means that a source is absent: it lowers confidence, not score.
*Contradiction* is what fraud would need, and what a ferry or a new instrument cluster also does.
"""

from dataclasses import dataclass

import numpy as np

from exchange.derive.distance import Fixes, Path, chords_mm, too_fast
from exchange.derive.odometer import Odometer
from exchange.derive.samples import Int64s
from exchange.derive.thresholds import Thresholds
from schemas.limits import TRIP_FINDINGS_MAX
from schemas.statements.trip_content import Finding, FindingClass, FindingCode

_MM_PER_M = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the checks look at; None where a source is absent."""

    start_ms: int
    end_ms: int
    odometer: Odometer | None
    fixes: Fixes | None
    path: Path | None


def findings_of(evidence: Evidence, limits: Thresholds) -> list[Finding]:
    """Everything found, contradictions first, each class by time."""
    found = [
        *_odometer_steps(evidence.odometer),
        *_odometer_against_gnss(evidence, limits),
        *_impossible_jumps(evidence, limits),
    ]
    return sorted(found, key=lambda one: (-one.severity, one.from_ms, one.code, one.values))


def _odometer_steps(odometer: Odometer | None) -> list[Finding]:
    if odometer is None:
        return []
    found = []
    for code, steps in (
        (FindingCode.ODOMETER_SET_BACK, odometer.set_back),
        (FindingCode.ODOMETER_LEAP, odometer.leap),
    ):
        for step in np.flatnonzero(steps)[: TRIP_FINDINGS_MAX + 1].tolist():
            before, after = odometer.readings_m[step : step + 2].tolist()
            found.append(_contradiction(code, odometer.times, step, (before, after)))
    return found


def _contradiction(code: FindingCode, times: Int64s, step: int, values: tuple[int, ...]) -> Finding:
    begin, end = times[step : step + 2].tolist()
    return Finding(code, FindingClass.CONTRADICTION, begin, end, values)


def _odometer_against_gnss(evidence: Evidence, limits: Thresholds) -> list[Finding]:
    """Both distances over the time that both sources cover."""
    code, odometer, path = FindingCode.ODOMETER_AGAINST_GNSS, evidence.odometer, evidence.path
    if odometer is None or evidence.fixes is None or path is None:
        return [_not_assessable(code, evidence)]
    begin = int(max(odometer.times[0], evidence.fixes.times[0]))
    end = int(min(odometer.times[-1], evidence.fixes.times[-1]))
    covered = evidence.fixes.times[:-1] >= begin
    covered &= evidence.fixes.times[1:] <= end
    covered_ms = int(path.steps_ms[covered & ~path.across_gap].sum())
    if covered_ms * 1000 < (evidence.end_ms - evidence.start_ms) * limits.coverage:
        return [_not_assessable(code, evidence)]
    read = (odometer.times[:-1] >= begin) & (odometer.times[1:] <= end)
    by_odometer = int(odometer.steps_mm[read].sum())
    by_gnss = int(path.chords_mm[covered & path.driven].sum())
    chords = int(path.chords_mm[covered & path.driven & path.across_gap].sum())
    severity, per_mille = _disagreement(by_odometer, by_gnss, chords, limits)
    if severity is None:
        return []
    values = (by_odometer // _MM_PER_M, by_gnss // _MM_PER_M, per_mille)
    return [Finding(code, severity, begin, end, values)]


def _disagreement(
    by_odometer: int, by_gnss: int, chords: int, limits: Thresholds
) -> tuple[FindingClass | None, int]:
    """How bad the difference is, and its per mille of the longer way.

    The road across a gap is longer than its chord, by half at most: that much is the odometer's.
    """
    longer = max(by_odometer, by_gnss)
    difference = abs(by_odometer - by_gnss)
    if by_odometer > by_gnss:
        difference = max(0, difference - chords // 2)
    per_mille = difference * 1000 // longer if longer else 0
    if difference <= limits.disagree_mm or per_mille <= limits.disagree_quality:
        return None, per_mille
    if per_mille <= limits.disagree_contradiction:
        return FindingClass.QUALITY, per_mille
    return FindingClass.CONTRADICTION, per_mille


def _impossible_jumps(evidence: Evidence, limits: Thresholds) -> list[Finding]:
    fixes, path = evidence.fixes, evidence.path
    if fixes is None or path is None:
        return [_not_assessable(FindingCode.POSITION_JUMP, evidence)]
    found = []
    jumps = np.flatnonzero(path.impossible)[: 2 * (TRIP_FINDINGS_MAX + 1)].tolist()
    at = 0
    while at < len(jumps):
        step = jumps[at]
        back = jumps[at + 1] if at + 1 < len(jumps) else None
        values = (int(path.chords_mm[step]) // _MM_PER_M, int(path.steps_ms[step]))
        if back is not None and _came_back(fixes, step, back, limits):
            begin, end = int(fixes.times[step]), int(fixes.times[back + 1])
            spike = (FindingCode.POSITION_SPIKE, FindingClass.QUALITY)
            found.append(Finding(*spike, begin, end, values))
            at += 2
        else:
            found.append(_contradiction(FindingCode.POSITION_JUMP, fixes.times, step, values))
            at += 1
    return found


def _came_back(fixes: Fixes, step: int, back: int, limits: Thresholds) -> bool:
    """Whether the fixes between two jumps were noise: soon over, the way around them possible."""
    if fixes.times[back + 1] - fixes.times[step] > limits.spike_ms:
        return False
    near, far = slice(step, step + 1), slice(back + 1, back + 2)
    chord = chords_mm(
        fixes.latitudes[near], fixes.longitudes[near], fixes.latitudes[far], fixes.longitudes[far]
    )
    return not too_fast(chord, fixes.times[far] - fixes.times[near], limits.jump_speed).any()


def _not_assessable(code: FindingCode, evidence: Evidence) -> Finding:
    return Finding(code, FindingClass.NOT_ASSESSABLE, evidence.start_ms, evidence.end_ms)
