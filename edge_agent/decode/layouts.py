"""Message layouts from our own DBC files, read through cantools once per process."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cantools.database
from cantools.database.can import Database, Message


@dataclass(frozen=True, slots=True)
class Field:
    """Where a signal lies in its message; ``scale`` and ``offset`` lead to catalogue units."""

    name: str
    bits: int
    scale: float
    offset: float
    spn: int | None


@cache
def messages(name: str) -> dict[int, tuple[Message, tuple[Field, ...]]]:
    """The messages of a DBC file beside this module, by their 11 or 29-bit id."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    database = cantools.database.load_string(text, "dbc")
    if not isinstance(database, Database):
        raise TypeError(f"{name} is no CAN database")
    return {message.frame_id: (message, _fields(message)) for message in database.messages}


def raw_values(message: Message, data: bytes) -> dict[str, int]:
    """Unscaled integers of the signals that lie wholly within the data."""
    decoded: Any = message.decode(data, decode_choices=False, scaling=False, allow_truncated=True)
    values: dict[str, int] = decoded
    return values


def _fields(message: Message) -> tuple[Field, ...]:
    return tuple(
        Field(signal.name, signal.length, float(signal.scale), float(signal.offset), signal.spn)
        for signal in message.signals
    )
