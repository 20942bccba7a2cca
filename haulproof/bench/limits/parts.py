"""The sum of bare parts: what a segment costs when each part is done alone. Pure.

A part that ``processes`` processes do at ``per_s`` in all costs ``processes / per_s`` of a core's
time. What shares all cores perfectly, and does nothing else, does ``cores / sum`` a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BarePart:
    """A part's rate on the machine, and by how many processes at once it was measured."""

    per_s: float
    processes: int

    @property
    def us(self) -> float:
        """Microseconds of one core for one segment."""
        return self.processes / self.per_s * 1e6


def summed(parts: Mapping[str, BarePart], rate_per_s: float, cores: int) -> dict[str, object]:
    """The parts' µs, their sum, the rate that it allows, and the ratio of a measured rate to it."""
    sum_us = sum(part.us for part in parts.values())
    limit = cores / sum_us * 1e6
    return {
        **{f"{name}_us": round(part.us, 1) for name, part in parts.items()},
        "sum_us": round(sum_us, 1),
        "limit_per_s": round(limit, 1),
        "ratio": round(rate_per_s / limit, 4),
    }
