"""Which column of a table tells the time, and what to do in rows where it does not.

A receiver's UTC is preferred; a logger's clock comes next; a count from the logger's start last. In
a row without valid UTC the logger's clock is used, corrected by the difference that the nearest
earlier valid row (before the first one: that first one) showed, so that one drive has one clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import IntEnum

from firmware_sim.drives.aliases import normalised
from firmware_sim.drives.model import MS_NS
from firmware_sim.drives.times import SECOND_NS, UTC_UNTIL_NS, believed, utc_ns_of


class Kind(IntEnum):
    """Columns of time, best first."""

    RECEIVER = 0
    LOGGER = 1
    START = 2


NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.RECEIVER: (
        *("gnss_epoch", "gps_epoch", "gnss_time", "gps_time", "gnss_utc", "gps_utc"),
        *("time_utc", "utc", "utc_time", "datetime_utc", "timestamp_utc"),
    ),
    Kind.LOGGER: (
        *("t_unix_log", "t_unix", "unix_time", "time_unix", "epoch", "timestamp", "ts"),
        *("time", "datetime", "date_time"),
    ),
    Kind.START: ("t", "elapsed", "seconds", "t_rel", "time_rel"),
}
"""Header names of times, without the units that may follow them."""

_UNITS = {"": None, "_s": SECOND_NS, "_ms": 10**6, "_us": 10**3, "_ns": 1}
_MAGNITUDES = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, SECOND_NS))
"""Without a unit in the name, the size of a number of UTC says which it is."""

_COLUMNS: dict[str, tuple[Kind, int | None]] = {
    f"{name}{ending}": (kind, unit)
    for kind, names in NAMES.items()
    for name in names
    for ending, unit in _UNITS.items()
} | {f"time{ending}": (Kind.START, unit) for ending, unit in _UNITS.items() if unit}


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column of time: where it is, what kind of clock, and ns per unit (None: by size)."""

    index: int
    kind: Kind
    unit_ns: int | None


def time_columns(header: Sequence[str]) -> list[TimeColumn]:
    """The header's columns of time, the preferred one first."""
    known = ((index, _COLUMNS.get(normalised(name))) for index, name in enumerate(header))
    columns = [TimeColumn(index, *found) for index, found in known if found is not None]
    return sorted(columns, key=lambda column: column.kind)


def time_ns_of(text: str, column: TimeColumn) -> int | None:
    """A cell as ns since 1970 or since the start, to the ms; None when it is no such time."""
    text = text.strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return utc_ns_of(text)
    if not number.is_finite() or not 0 <= number < 10**19:
        return None
    unit = column.unit_ns or next(ns for least, ns in _MAGNITUDES if number >= least)
    time_ns = int(number * unit) // MS_NS * MS_NS
    if column.kind is Kind.RECEIVER:
        return believed(time_ns)
    return time_ns if time_ns < UTC_UNTIL_NS else None


@dataclass(slots=True)
class RowClock:
    """Tells the time of one row after the other, in the file's order."""

    columns: Sequence[TimeColumn]
    ahead_ns: int = 0
    """How far the second clock is ahead of the first."""
    last_ns: int = field(default=0)

    def time_ns(self, row: Sequence[str]) -> tuple[int | None, bool]:
        """The row's time, and whether the preferred clock told it."""
        first, second = self._cells(row)
        if first is not None:
            if second is not None:
                self.ahead_ns = second - first
            self.last_ns = first
            return first, True
        if second is None:
            return None, False
        self.last_ns = max(second - self.ahead_ns, self.last_ns)
        return self.last_ns, False

    def set_by(self, rows: Iterable[Sequence[str]]) -> None:
        """Look ahead for the first row in which both clocks can be read."""
        for row in rows:
            first, second = self._cells(row)
            if first is not None and second is not None:
                self.ahead_ns = second - first
                return

    def _cells(self, row: Sequence[str]) -> tuple[int | None, int | None]:
        times = [time_ns_of(row[c.index], c) for c in self.columns if c.index < len(row)]
        first = times[0] if times else None
        return first, next((time for time in times[1:] if time is not None), None)
