"""The fault table: what was done how often, and what came of it."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.faults.checker import Verdict

_HEAD = ("point", "form", "hit", "acknowledged", "found", "lost", "twice", "seconds to recover")


@dataclass(slots=True)
class Row:
    """One point in one form; figures are sums over all times it was hit."""

    times: int = 0
    acknowledged: int = 0
    found: int = 0
    lost: int = 0
    twice: int = 0
    recovered_s: list[float] = field(default_factory=list)


class FaultTable:
    """Collects rows while tests run."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.kills = 0
        self.seeds: list[str] = []

    def add(
        self, point: str, form: str, verdict: Verdict, recovered_s: float, *, kills: bool
    ) -> None:
        """A fault was made and everything that waited has its receipt again."""
        row = self.rows.setdefault((point, form), Row())
        row.times += 1
        row.acknowledged += verdict.acknowledged
        row.found += verdict.found
        row.lost += verdict.lost
        row.twice += verdict.twice
        row.recovered_s.append(recovered_s)
        self.kills += kills

    def lines(self) -> Iterator[str]:
        """The table as text."""
        cells = [_HEAD, *(_cells(*key, row) for key, row in sorted(self.rows.items()))]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
        for row in cells:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        total = [sum(getattr(row, name) for row in self.rows.values()) for name in _SUMS]
        yield (
            f"{self.kills} kills, {total[0]} faults: {total[1]} acknowledged, {total[2]} found, "
            f"{total[3]} lost, {total[4]} twice"
        )


_SUMS = ("times", "acknowledged", "found", "lost", "twice")


def _cells(point: str, form: str, row: Row) -> tuple[str, ...]:
    figures: Iterable[int] = (getattr(row, name) for name in _SUMS)
    middle, most = statistics.median(row.recovered_s), max(row.recovered_s)
    return (point, form, *map(str, figures), f"{middle:.2f} (most {most:.2f})")


TABLE = FaultTable()
"""Of this run of pytest; printed at its end."""
