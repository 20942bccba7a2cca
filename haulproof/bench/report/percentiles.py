"""Percentiles by nearest rank: each is a value that was measured."""

import math
from collections.abc import Iterable

_SHOWN = (50, 95, 99)


def percentile(ordered: list[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all don't exceed; ``ordered`` ascending."""
    if not ordered or not 0 < percent <= 100:
        raise ValueError("a percentile needs values and lies above 0, at most 100")
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def in_ms(seconds: Iterable[float | None]) -> dict[str, float | int | None]:
    """``p50``, ``p95``, ``p99``, ``max`` in ms and ``count``.

    None among the values is one that never came: larger than all others, so that a percentile that
    falls on it is None as well.
    """
    values = [math.inf if one is None else one for one in seconds]
    if not values:
        return {**{f"p{percent}": None for percent in _SHOWN}, "max": None, "count": 0}
    ordered = sorted(values)
    shown = {f"p{percent}": _ms(percentile(ordered, percent)) for percent in _SHOWN}
    return {**shown, "max": _ms(ordered[-1]), "count": len(ordered)}


def _ms(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds * 1000, 2)
