"""What a truck would also send, added only when asked: today, an engine speed that fits the speed.

It is made up, deterministically, and everything that plays it says so.
"""

import math
from collections.abc import Iterable, Iterator

from firmware_sim.drives import position
from firmware_sim.drives.model import Drive, FrameDrive, Record

ENGINE_SPEED = "Vehicle.Powertrain.CombustionEngine.Speed"
_VEHICLE_SPEED = "Vehicle.Speed"

IDLE_RPM = 600.0
SHIFT_UP_RPM, SHIFT_DOWN_RPM = 1_500.0, 1_000.0
_STANDING_KMH = 1.0
_FIRST_GEAR_KMH = 5.0


def missing_paths(drive: Drive) -> tuple[str, ...]:
    """What would be filled in: nothing on a recorded bus, and nothing that the drive has."""
    speeds = {_VEHICLE_SPEED, position.SPEED} & set(drive.facts.signals)
    if isinstance(drive, FrameDrive) or not speeds or ENGINE_SPEED in drive.facts.signals:
        return ()
    return (ENGINE_SPEED,)


def filled_in(records: Iterable[Record]) -> Iterator[Record]:
    """The records, with an engine speed wherever there is a speed. No record is added."""
    for record in records:
        speed = record.values.get(_VEHICLE_SPEED, record.values.get(position.SPEED))
        if isinstance(speed, float):
            values = {**record.values, ENGINE_SPEED: engine_rpm(speed)}
            yield Record(record.time_ns, values)
        else:
            yield record


def engine_rpm(speed_kmh: float) -> float:
    """Engine speed of a gearbox with even steps that shifts up at 1500 rpm, down to 1000."""
    if speed_kmh < _STANDING_KMH:
        return IDLE_RPM
    if speed_kmh < _FIRST_GEAR_KMH:
        return IDLE_RPM + (SHIFT_DOWN_RPM - IDLE_RPM) * speed_kmh / _FIRST_GEAR_KMH
    step = SHIFT_UP_RPM / SHIFT_DOWN_RPM
    gears_up = math.log(speed_kmh / _FIRST_GEAR_KMH, step) % 1
    return round(SHIFT_DOWN_RPM * math.pow(step, gears_up))
