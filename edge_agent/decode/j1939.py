"""J1939 broadcast frames to readings (SAE J1939-21 ids, J1939-71 layouts and validity)."""

from functools import cache
from typing import NamedTuple

from cantools.database.can import Message

from edge_agent.decode.layouts import messages, raw_values
from edge_agent.observation import Reading
from edge_agent.selection import Sender
from schemas.catalogue import SIGNALS, Signal

GLOBAL_ADDRESS = 0xFF

_PDU2_FROM = 0xF0
_DBC = "j1939.dbc"
_EXTRA_SPNS = {250: "Vehicle.Powertrain.FuelSystem.AccumulatedConsumption"}
"""Second-choice SPNs of catalogue signals; the first choice is in the catalogue itself."""


class Identifier(NamedTuple):
    """The parts of a 29-bit id; ``destination`` is 255 for broadcasts."""

    pgn: int
    source: int
    destination: int


def read_identifier(arbitration_id: int) -> Identifier:
    """Split a 29-bit id (J1939-21 5.2): a PDU1 format's second byte is its destination."""
    source = arbitration_id & 0xFF
    pgn = (arbitration_id >> 8) & 0x3FFFF
    if (pgn >> 8) & 0xFF >= _PDU2_FROM:
        return Identifier(pgn, source, GLOBAL_ADDRESS)
    return Identifier(pgn & 0x3FF00, source, pgn & 0xFF)


class _Wanted(NamedTuple):
    name: str
    raw_max: int
    scale: float
    offset: float
    signal_id: int
    spn: int


def raw_max(bits: int) -> int:
    """The largest raw value that is a measurement (J1939-71 5.1.4); past it: error, not available.

    Of one byte and more, top bytes 0xFB to 0xFF are indicators; of fewer bits, the last two values.
    """
    return (1 << bits) - 3 if bits < 8 else (0xFB << (bits - 8)) - 1


@cache
def _layouts() -> dict[int, tuple[Message, tuple[_Wanted, ...]]]:
    by_spn: dict[int, Signal] = {s.spn: s for s in SIGNALS.values() if s.spn is not None}
    by_path = {signal.path: signal for signal in SIGNALS.values()}
    by_spn |= {spn: by_path[path] for spn, path in _EXTRA_SPNS.items()}
    layouts = {}
    for frame_id, (message, fields) in messages(_DBC).items():
        wanted = tuple(
            _Wanted(f.name, _limit(f.bits, by_spn[f.spn]), f.scale, f.offset, signal.id, f.spn)
            for f in fields
            if f.spn is not None and (signal := by_spn.get(f.spn)) is not None
        )
        layouts[read_identifier(frame_id).pgn] = (message, wanted)
    return layouts


def _limit(bits: int, signal: Signal) -> int:
    return min(raw_max(bits), len(signal.values) - 1) if signal.values else raw_max(bits)


def knows(pgn: int) -> bool:
    """Whether frames of this parameter group carry catalogue signals."""
    return pgn in _layouts()


def decode(pgn: int, source: int, data: bytes) -> tuple[Reading, ...]:
    """The valid readings of one frame; errors, reserved and not-available values are left out."""
    layout = _layouts().get(pgn)
    if layout is None:
        return ()
    message, wanted = layout
    values = raw_values(message, data)
    return tuple(
        Reading(signal_id, raw * scale + offset, Sender("j1939", spn, source))
        for name, largest, scale, offset, signal_id, spn in wanted
        if (raw := values.get(name)) is not None and raw <= largest
    )
