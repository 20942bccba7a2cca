"""An inspection as lines for a person, and as one JSON object."""

from collections.abc import Iterator
from datetime import UTC, datetime

from firmware_sim.drives import FrameDrive
from firmware_sim.drives.model import MS_NS
from firmware_sim.inspection import GAP_S, Gap, Inspection, SignalHeld
from schemas.catalogue import BY_PATH

_SECOND_NS = 10**9
_NAMED_MAX = 12
_DAY_S = 86_400


def as_json(found: Inspection) -> dict[str, object]:
    """What a program wants to know of a file; times are UTC in ms, or count from the start."""
    facts = found.drive.facts
    return {
        "drive": found.drive.name,
        "format": facts.format,
        "holds": "frames" if isinstance(found.drive, FrameDrive) else "records",
        "absolute": facts.absolute,
        "first_ms": facts.first_ns // MS_NS,
        "last_ms": facts.last_ns // MS_NS,
        "span_s": round(facts.span_s, 3),
        "items": facts.items,
        "seconds_with_data": facts.seconds,
        "satellite_ahead_s": round(facts.satellite_ahead_ns / _SECOND_NS, 3),
        "signals": [_signal_json(held) for held in _in_order(found)],
        "gaps": {
            "count": found.gaps,
            "seconds": round(found.gap_seconds, 3),
            "longest": _gap_json(found.longest),
        },
        "left_out": list(facts.left_out),
        "notes": list(facts.notes),
    }


def lines(found: Inspection) -> Iterator[str]:
    """The same for a person."""
    facts = found.drive.facts
    kind = "frames" if isinstance(found.drive, FrameDrive) else "records"
    yield f"{found.drive.name}: {facts.format}, {facts.items} {kind}"
    yield (
        f"Time: {_when(found)}, {facts.span_s:.1f} s, of which {facts.seconds} seconds have data"
    )
    yield from _table(found)
    if found.longest is not None:
        yield f"Gaps: {found.gaps} of more than {GAP_S:.0f} s, {_longest(found, found.longest)}"
    if facts.satellite_ahead_ns:
        yield f"Clock: {_clock(facts.satellite_ahead_ns / _SECOND_NS)}"
    if facts.left_out:
        more = f" and {len(facts.left_out) - _NAMED_MAX} more"
        rest = more if len(facts.left_out) > _NAMED_MAX else ""
        yield f"Left out: {', '.join(facts.left_out[:_NAMED_MAX])}{rest}"
    if facts.notes:
        yield f"Noted: {'; '.join(facts.notes)}"


def _in_order(found: Inspection) -> list[SignalHeld]:
    return [found.signals[path] for path in sorted(found.signals)]


def _table(found: Inspection) -> Iterator[str]:
    rows = [("signal", "values", "rate", "least", "greatest", "unit")]
    for held in _in_order(found):
        hertz = held.hertz
        rows.append(
            (
                held.path.removeprefix("Vehicle."),
                str(held.values),
                "" if hertz is None else f"{hertz:.3g} Hz",
                _figure(held.least),
                _figure(held.greatest),
                _unit(held.path),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *figures, unit in rows:
        cells = (cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True))
        yield f"  {name.ljust(widths[0])}  {'  '.join(cells)}  {unit}".rstrip()


def _when(found: Inspection) -> str:
    facts = found.drive.facts
    if not facts.absolute:
        return "not absolute (played, the drive ends now)"
    return f"{_utc(facts.first_ns)} to {_utc(facts.last_ns)} UTC"


def _longest(found: Inspection, gap: Gap) -> str:
    begun = found.drive.facts.first_ns
    at = f"{(gap.from_ns - begun) / _SECOND_NS:.0f} s after the start"
    moved = "" if gap.moved_m is None else f", over which it moved {gap.moved_m:.0f} m"
    return f"the longest {gap.seconds:.0f} s, {at}{moved}"


def _clock(ahead_s: float) -> str:
    apart = f"{abs(ahead_s):.1f} s"
    if abs(ahead_s) >= _DAY_S:
        apart = f"{abs(ahead_s) / _DAY_S:.1f} days"
    side = "behind" if ahead_s > 0 else "ahead of"
    return f"the logger's is {apart} {side} the receiver's, in which the drive is counted"


def _signal_json(held: SignalHeld) -> dict[str, object]:
    hertz = held.hertz
    return {
        "path": held.path,
        "unit": _unit(held.path),
        "values": held.values,
        "hertz": None if hertz is None else round(hertz, 3),
        "least": held.least,
        "greatest": held.greatest,
    }


def _gap_json(gap: Gap | None) -> dict[str, object] | None:
    if gap is None:
        return None
    moved_m = None if gap.moved_m is None else round(gap.moved_m, 1)
    return {
        "from_ms": gap.from_ns // MS_NS,
        "seconds": round(gap.seconds, 3),
        "moved_m": moved_m,
    }


def _unit(path: str) -> str:
    signal = BY_PATH.get(path)
    return "" if signal is None or signal.values else signal.unit


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // _SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
