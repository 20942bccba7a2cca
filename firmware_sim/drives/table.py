"""CSV with a header row: any logger's table whose column names say what they hold.

Speed in a table with coordinates is the receiver's, unless a ``speed_source`` column says ``obd``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firmware_sim.drives import position
from firmware_sim.drives.aliases import FIX, FIX_QUALITY, SPEED, SPEED_SOURCE, Meaning, meanings
from firmware_sim.drives.csv_rows import header_in, is_number, rows, rows_below_header
from firmware_sim.drives.model import DriveUnreadable, Record, Tally, Value
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.table_clock import Kind, RowClock, TimeColumn, time_columns
from firmware_sim.drives.values import parse_value

_SOURCES_ON_THE_VEHICLE = frozenset({"obd", "can", "vehicle", "ecu", "j1939", "wheel"})
_SOURCES_BY_SATELLITE = frozenset({"gps", "gnss"})
_FIX_TYPES = {0: position.NO_FIX, 2: "TWO_D", 3: "THREE_D"}
_FIX_QUALITIES = dict.fromkeys((0, 6, 7, 8), position.NO_FIX)


def recognises(head: bytes) -> bool:
    """Whether this is a table."""
    return bool(header_in(head))


@dataclass(frozen=True, slots=True)
class _Layout:
    columns: list[tuple[int, Meaning]]
    times: list[TimeColumn]
    speed_path: str
    width: int


def records(source: DriveSource, tally: Tally) -> Iterator[Record]:
    """One record per row that has a time."""
    layout = _layout(source, tally)
    clock = RowClock(layout.times)
    clock.set_by(rows_below_header(source))
    for row in rows_below_header(source):
        time_ns, preferred = clock.time_ns(row)
        if time_ns is None or len(row) > layout.width:
            tally.untimed += time_ns is None
            tally.unreadable += time_ns is not None
            continue
        found = _values(row, layout, tally)
        if layout.times[0].kind is Kind.RECEIVER and not preferred:
            found[position.FIX_TYPE] = position.NO_FIX
        values = position.without_invalid(found, tally)
        if values:
            yield Record(time_ns, values)


def _layout(source: DriveSource, tally: Tally) -> _Layout:
    header = next(rows(source), [])
    if not header:
        raise DriveUnreadable(f"{source.name} has no header row: save it as CSV, a line for a row.")
    times = time_columns(header)
    found = meanings(header)
    is_time = {column.index for column in times}
    columns = [(i, m) for i, m in enumerate(found) if m is not None and i not in is_time]
    for i, name in enumerate(header):
        if i not in is_time and found[i] is None and name.strip():
            tally.leave_out(name)
    if columns and not times:
        raise DriveUnreadable(
            f"{source.name} has no column of time: name one time_utc, timestamp or t_s."
        )
    paths = {meaning.path for _, meaning in columns}
    speed_path = position.SPEED if paths >= position.COORDINATES else "Vehicle.Speed"
    return _Layout(columns, times, speed_path, len(header))


def _values(row: Sequence[str], layout: _Layout, tally: Tally) -> dict[str, Value]:
    values: dict[str, Value] = {}
    speed_path = layout.speed_path
    speed: Value | None = None
    for index, meaning in layout.columns:
        text = row[index].strip() if index < len(row) else ""
        if not text:
            continue
        if meaning.path == SPEED_SOURCE:
            speed_path = _speed_path(text, speed_path)
        elif meaning.path == FIX:
            values |= _fix_type(text, _FIX_TYPES)
        elif meaning.path == FIX_QUALITY:
            values |= _fix_type(text, _FIX_QUALITIES)
        elif meaning.path == SPEED:
            speed = parse_value("Vehicle.Speed", text, meaning.factor)
            tally.unreadable += speed is None
        else:
            value = parse_value(meaning.path, text, meaning.factor)
            tally.unreadable += value is None
            if value is not None:
                values[meaning.path] = value
    if speed is not None:
        values.setdefault(speed_path, speed)
    return values


def _speed_path(text: str, otherwise: str) -> str:
    if text.lower() in _SOURCES_ON_THE_VEHICLE:
        return "Vehicle.Speed"
    return position.SPEED if text.lower() in _SOURCES_BY_SATELLITE else otherwise


def _fix_type(text: str, names: Mapping[int, str]) -> dict[str, Value]:
    name = names.get(int(float(text))) if is_number(text) else None
    return {position.FIX_TYPE: name} if name else {}
