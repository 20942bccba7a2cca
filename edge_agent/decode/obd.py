"""OBD-II answers seen on the bus (SAE J1979 mode 01): someone else asks, we listen."""

from collections.abc import Callable
from typing import NamedTuple

from edge_agent.observation import Reading
from edge_agent.selection import Sender
from schemas.catalogue import BY_PATH

_MODE_01_ANSWER = 0x41
_FIRST_11_BIT, _LAST_11_BIT = 0x7E8, 0x7EF
_ANSWER_29_BIT = 0x18DAF100
_SENDER_29_BIT_MASK = 0xFF


class _Pid(NamedTuple):
    size: int
    signal_id: int
    value: Callable[[int], float]


def _pid(size: int, path: str, value: Callable[[int], float]) -> _Pid:
    return _Pid(size, BY_PATH[path].id, value)


_PIDS = {
    0x04: _pid(1, "Vehicle.Powertrain.Eec2EnginePercentLoad", lambda raw: raw * 100 / 255),
    0x05: _pid(
        1,
        "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature",
        lambda raw: raw - 40,
    ),
    0x0C: _pid(2, "Vehicle.Powertrain.CombustionEngine.Speed", lambda raw: raw / 4),
    0x0D: _pid(1, "Vehicle.Speed", float),
    0x11: _pid(1, "Vehicle.Powertrain.CombustionEngine.TPS", lambda raw: raw * 100 / 255),
    0x2F: _pid(
        1,
        "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel",
        lambda raw: raw * 100 / 255,
    ),
    0x42: _pid(2, "Vehicle.LowVoltageBattery.CurrentVoltage", lambda raw: raw / 1000),
    0x46: _pid(1, "Vehicle.Exterior.AirTemperature", lambda raw: raw - 40),
    0x5E: _pid(2, "Vehicle.Powertrain.FuelSystem.InstantRate", lambda raw: raw / 20),
    0xA6: _pid(4, "Vehicle.TraveledDistance", lambda raw: raw * 100),
}


def answering_address(arbitration_id: int, extended: bool) -> int | None:
    """The number of the ECU that answers under this id; None when it is no answer's id."""
    if extended:
        answers = arbitration_id & ~_SENDER_29_BIT_MASK == _ANSWER_29_BIT
        return arbitration_id & _SENDER_29_BIT_MASK if answers else None
    if _FIRST_11_BIT <= arbitration_id <= _LAST_11_BIT:
        return arbitration_id - _FIRST_11_BIT
    return None


def decode(address: int, message: bytes) -> tuple[Reading, ...]:
    """The readings of one mode 01 answer; it may carry several PIDs."""
    if message[:1] != bytes([_MODE_01_ANSWER]):
        return ()
    readings = []
    rest = message[1:]
    while rest:
        pid = _PIDS.get(rest[0])
        if pid is None or len(rest) < 1 + pid.size:
            break
        raw = int.from_bytes(rest[1 : 1 + pid.size], "big")
        readings.append(Reading(pid.signal_id, pid.value(raw), Sender("obd", 0, address)))
        rest = rest[1 + pid.size :]
    return tuple(readings)
