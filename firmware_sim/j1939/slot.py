"""Raw values of a parameter: which of them are measurements, which say error or not available.

SAE J1939-71: an 8-bit parameter is valid to 0xFA, longer ones to 0xFA in their top byte, 2 bits to
01, 3 bits to 5, 4 bits to 0xD; all ones always mean not available.
"""

from firmware_sim.j1939.messages import Parameter

_VALID_MAX = {2: 0x1, 3: 0x5, 4: 0xD}


def valid_max(bits: int) -> int:
    """The largest raw value that is a measurement."""
    return _VALID_MAX[bits] if bits < 8 else (0xFB << (bits - 8)) - 1


def raw_of(parameter: Parameter, value: float | str) -> int | None:
    """The raw value nearest to ``value``; None when the parameter can't say it."""
    if isinstance(value, str):
        return (parameter.codes or {}).get(value)
    steps = (value - parameter.offset) / parameter.scale
    if not -1 < steps < valid_max(parameter.bits) + 1:
        return None
    raw = round(steps)
    return raw if 0 <= raw <= valid_max(parameter.bits) else None


def value_of(parameter: Parameter, raw: int) -> float | str | None:
    """The value of a raw one; None when it says error, reserved or not available."""
    if raw > valid_max(parameter.bits):
        return None
    if parameter.codes is not None:
        return next((name for name, code in parameter.codes.items() if code == raw), None)
    return raw * parameter.scale + parameter.offset
