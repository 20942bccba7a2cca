"""The Kuksa csv-provider's form: ``field,signal,value,delay``, time being the sum of delays.

Source: eclipse-kuksa/kuksa-csv-provider; ``delay`` is the time to wait after the row, in seconds.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from firmware_sim.drives import position
from firmware_sim.drives.cells import cells_of
from firmware_sim.drives.model import MS_NS, Record, Tally
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.values import CARRIED, parse_value

PAIR_WITHIN_NS = 500_000_000
"""A latitude and a longitude this close belong to one fix, though they are two rows."""

_HEADER = ["field", "signal", "value", "delay"]
_DELAY_S_MAX = 7 * 86_400


def recognises(head: bytes) -> bool:
    """Whether the first line is the csv-provider's header."""
    first = head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    return [cell.strip().strip('"').lower() for cell in first.split(",")] == _HEADER


def records(source: DriveSource, tally: Tally) -> Iterator[Record]:
    """One record per instant; rows of the field *target* are set-points and are left out."""
    return position.judged(_paired(position.joined(_instants(_rows(source, tally), tally))), tally)


def _rows(source: DriveSource, tally: Tally) -> Iterator[tuple[int, str, str]]:
    """(time_ns, path, value) of the rows that can be carried."""
    time_ns = 0
    lines = (line for line in source.lines() if line.strip())
    next(lines, None)
    for line in lines:
        row = cells_of(line)
        delay_ns = _delay_ns(row[3]) if len(row) == len(_HEADER) else None
        if delay_ns is None:
            tally.unreadable += 1
            continue
        field, path = row[0].strip().lower(), row[1].strip()
        if field != "current":
            tally.leave_out(f"{field}:{path}")
        elif path not in CARRIED:
            tally.leave_out(path)
        else:
            yield time_ns - time_ns % MS_NS, path, row[2]
        time_ns += delay_ns


def _instants(rows: Iterator[tuple[int, str, str]], tally: Tally) -> Iterator[Record]:
    for time_ns, path, text in rows:
        value = parse_value(path, text)
        if value is not None:
            yield Record(time_ns, {path: value})
        else:
            tally.unreadable += bool(text.strip())


def _paired(records: Iterator[Record]) -> Iterator[Record]:
    """Complete a latitude or longitude that stands alone by the other half, shortly before it."""
    alone: Record | None = None
    for record in records:
        halves = position.COORDINATES & record.values.keys()
        if len(halves) == 1 and alone is not None:
            other = position.COORDINATES & alone.values.keys()
            if other != halves and record.time_ns - alone.time_ns <= PAIR_WITHIN_NS:
                other_half = {path: alone.values[path] for path in other}
                record, alone = Record(record.time_ns, {**record.values, **other_half}), None
                yield record
                continue
        if len(halves) == 1:
            alone = record
        yield record


def _delay_ns(text: str) -> int | None:
    try:
        delay = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not delay.is_finite() or not 0 <= delay <= _DELAY_S_MAX:
        return None
    return int(delay.scaleb(9))
