"""CSV with a row for each value: a time, a name, the value, perhaps its unit.

The name and the unit together are looked up as a column's name is: ``vehicle_speed`` in ``km/h`` is
``vehicle_speed_km_h``. A VSS path is taken as it stands, in the catalogue's unit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firmware_sim.drives import position
from firmware_sim.drives.aliases import (
    FIX,
    FIX_QUALITY,
    SPEED,
    SPEED_SOURCE,
    Meaning,
    meaning_of,
    normalised,
)
from firmware_sim.drives.csv_rows import header_in, rows, rows_below_header
from firmware_sim.drives.model import DriveUnreadable, Record, Tally
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.table_clock import RowClock, TimeColumn, time_columns
from firmware_sim.drives.values import parse_value

_NAMES = ("name", "signal", "parameter", "measurement")
_VALUES = ("value",)
_UNITS = ("unit", "units")
_UNIT_WORDS = {"%": "pct"}
_ROLES = frozenset({FIX, FIX_QUALITY, SPEED_SOURCE})
"""Meanings that only the other columns of a row give sense to."""
_MEANINGS_MAX = 10_000


def recognises(head: bytes) -> bool:
    """Whether a table has a column of names and one of values."""
    return _layout(header_in(head)) is not None


@dataclass(frozen=True, slots=True)
class _Layout:
    name: int
    value: int
    unit: int | None
    times: list[TimeColumn]

    @property
    def width(self) -> int:
        return 1 + max(self.name, self.value, self.unit or 0)


def records(source: DriveSource, tally: Tally) -> Iterator[Record]:
    """One record per row whose name is known; those of one time are joined later."""
    return position.judged(position.joined(_rows(source, tally)), tally)


def _rows(source: DriveSource, tally: Tally) -> Iterator[Record]:
    layout = _layout(next(rows(source), []))
    if layout is None or not layout.times:
        raise DriveUnreadable(
            f"{source.name} has no column of time: name one time_utc, timestamp or t_s."
        )
    clock = RowClock(layout.times)
    clock.set_by(rows_below_header(source))
    known: dict[tuple[str, str], Meaning | None] = {}
    for row in rows_below_header(source):
        time_ns, _ = clock.time_ns(row)
        if time_ns is None or len(row) < layout.width:
            tally.untimed += time_ns is None
            tally.unreadable += time_ns is not None
            continue
        named = (row[layout.name], "" if layout.unit is None else row[layout.unit])
        meaning = known[named] if named in known else _meaning(*named)
        if len(known) < _MEANINGS_MAX:
            known[named] = meaning
        if meaning is None:
            tally.leave_out(named[0])
            continue
        value = parse_value(meaning.path, row[layout.value], meaning.factor)
        if value is not None:
            yield Record(time_ns, {meaning.path: value})
        else:
            tally.unreadable += bool(row[layout.value].strip())


def _layout(header: Sequence[str]) -> _Layout | None:
    names = [normalised(name) for name in header]
    name, value = _first(names, _NAMES), _first(names, _VALUES)
    if name is None or value is None:
        return None
    return _Layout(name, value, _first(names, _UNITS), time_columns(header))


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _meaning(name: str, unit: str) -> Meaning | None:
    with_unit = f"{name}_{_UNIT_WORDS.get(unit.strip(), unit)}"
    meaning = meaning_of(name) or meaning_of(with_unit)
    if meaning is None or meaning.path in _ROLES:
        return None
    return Meaning("Vehicle.Speed", meaning.factor) if meaning.path == SPEED else meaning
