"""Vehicle identification numbers (ISO 3779): seventeen characters, no I, O or Q."""

import re

_VIN = re.compile(rb"[A-HJ-NPR-Z0-9]{17}")


def strict_vin(data: bytes) -> str | None:
    """The VIN that these bytes are, exactly; None for anything else, junk around it included."""
    return data.decode("ascii") if _VIN.fullmatch(data) else None


def vin_of_j1939(data: bytes) -> str | None:
    """The VIN of a vehicle identification message (PGN 65260): text up to the first ``*``."""
    text, star, _ = data.partition(b"*")
    return strict_vin(text) if star else None


def vin_of_obd(message: bytes) -> str | None:
    """The VIN of an OBD mode 09 PID 02 answer: ``49 02 01`` and the characters."""
    return strict_vin(message[3:]) if message[:3] == b"\x49\x02\x01" else None
