"""The signals that this bench can put on a bus or into a sentence, and their values as text."""

import math
from collections.abc import Set

from firmware_sim.drives.model import Value
from firmware_sim.drives.position import OF_A_FIX
from firmware_sim.j1939.messages import SENT_PATHS, VIN
from schemas.catalogue import BY_PATH

CARRIED = frozenset(SENT_PATHS | OF_A_FIX | {VIN})
"""VSS paths that a J1939 frame or an NMEA sentence of the bench truck carries."""

VIN_CHARACTERS_MIN, VIN_CHARACTERS_MAX = 8, 64
"""A vehicle's number has 17; shorter and longer ones come from old or special vehicles."""

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", "inf", "-inf"})
_TRUE = frozenset({"true", "1", "1.0", "yes", "on"})
_FALSE = frozenset({"false", "0", "0.0", "no", "off"})


def parse_value(path: str, text: str, factor: float = 1.0) -> Value | None:
    """A cell's value in the catalogue's unit; None when missing or not a value of this signal."""
    text = text.strip()
    if path == VIN:
        return text if text.isascii() and text.isprintable() and _fits(text) else None
    signal = BY_PATH[path]
    if signal.values:
        return _name(text, signal.values)
    if text.lower() in _MISSING:
        return None
    if signal.unit == "boolean":
        return _truth(text)
    return _number(text, factor)


def holds_samples(paths: Set[str]) -> bool:
    """Whether any of these signals is sampled; a VIN is told as an event, not every second."""
    return bool(paths - {VIN})


def _fits(text: str) -> bool:
    return VIN_CHARACTERS_MIN <= len(text) <= VIN_CHARACTERS_MAX and "*" not in text


def _number(text: str, factor: float) -> float | None:
    try:
        value = float(text) * factor
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _truth(text: str) -> float | None:
    if text.lower() in _TRUE:
        return 1.0
    return 0.0 if text.lower() in _FALSE else None


def _name(text: str, names: tuple[str, ...]) -> str | None:
    if text.upper() in names:
        return text.upper()
    codes = {str(code): name for code, name in enumerate(names)}
    return codes.get(text)
