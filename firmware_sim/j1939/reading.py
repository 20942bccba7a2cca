"""The way back, from a frame to its values: enough to say what a recorded J1939 bus holds."""

from firmware_sim.drives import position
from firmware_sim.j1939.messages import MESSAGES, Message, Parameter
from firmware_sim.j1939.slot import value_of

_ONLY_HEARD = (
    Message(
        "LFC1",
        0xFEE9,
        6,
        0,
        (Parameter(250, "Vehicle.Powertrain.FuelSystem.AccumulatedConsumption", 32, 32, 500.0),),
    ),
    Message(
        "VP1",
        0xFEF3,
        6,
        0,
        (
            Parameter(584, position.LATITUDE, 0, 32, 1e-7, -210.0),
            Parameter(585, position.LONGITUDE, 32, 32, 1e-7, -210.0),
        ),
    ),
    Message(
        "VDS",
        0xFEE8,
        6,
        0,
        (
            Parameter(165, position.HEADING, 0, 16, 1 / 128),
            Parameter(517, position.SPEED, 16, 16, 1 / 256),
            Parameter(580, position.ALTITUDE, 48, 16, 0.125, -2500.0),
        ),
    ),
)
_BY_PGN = {message.pgn: message for message in (*MESSAGES, *_ONLY_HEARD)}

_PDU2_FROM = 0xF0
_PAYLOAD_BYTES = 8


def pgn_of(can_id: int) -> int:
    """The parameter group number of a 29-bit identifier (SAE J1939-21)."""
    pgn = can_id >> 8 & 0x3FFFF
    return pgn if pgn >> 8 & 0xFF >= _PDU2_FROM else pgn & 0x3FF00


def values_of(can_id: int, data: bytes) -> dict[str, float | str]:
    """The valid values of a 29-bit frame, by VSS path; none when its group is not known."""
    message = _BY_PGN.get(pgn_of(can_id))
    if message is None or len(data) != _PAYLOAD_BYTES:
        return {}
    bits = int.from_bytes(data, "little")
    values: dict[str, float | str] = {}
    for parameter in message.parameters:
        value = value_of(parameter, bits >> parameter.start_bit & (1 << parameter.bits) - 1)
        if value is not None:
            values[parameter.path] = value
    return values
