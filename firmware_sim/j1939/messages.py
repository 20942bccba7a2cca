"""The parameter groups that the bench truck sends: where each value lies, and in which scale.

Positions and scales: SAE J1939-71 as extracted in Equipment-and-Tool-Institute/j1939-84.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

VIN = "Vehicle.VehicleIdentification.VIN"

ENGINE, TRANSMISSION, BRAKES, CLUSTER, AXLE_WEIGHTS, EXHAUST, TACHOGRAPH = (
    0x00,
    0x03,
    0x0B,
    0x17,
    0x2F,
    0x3D,
    0xEE,
)
"""Source addresses, as trucks of the standard's global table use them."""

WORKING_STATES: Mapping[str, int] = {"REST": 0, "DRIVER_AVAILABLE": 1, "WORK": 2, "DRIVE": 3}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One SPN: ``bits`` from ``start_bit`` (0 is the lowest bit of byte 1), little-endian.

    physical = raw * scale + offset, in the catalogue's unit.
    """

    spn: int
    path: str
    start_bit: int
    bits: int
    scale: float
    offset: float = 0.0
    codes: Mapping[str, int] | None = None
    """Codes of an enumeration's names."""


@dataclass(frozen=True, slots=True)
class Message:
    """A parameter group of 8 bytes, with the priority and source address it is sent with."""

    name: str
    pgn: int
    priority: int
    source: int
    parameters: tuple[Parameter, ...]

    @property
    def can_id(self) -> int:
        """The 29-bit identifier (all of these are broadcast, PDU2)."""
        return self.priority << 26 | self.pgn << 8 | self.source


def _at(byte: int, bit: int = 1) -> int:
    """Start bit of the standard's "byte.bit", both counted from 1."""
    return 8 * (byte - 1) + bit - 1


_ENGINE = "Vehicle.Powertrain.CombustionEngine"
_FUEL = "Vehicle.Powertrain.FuelSystem"
_DRIVER = "Vehicle.Tachograph.Driver.Driver"
_PER_RADIAN = 180 / math.pi

MESSAGES: tuple[Message, ...] = (
    Message("EEC1", 0xF004, 3, ENGINE, (Parameter(190, f"{_ENGINE}.Speed", _at(4), 16, 0.125),)),
    Message(
        "EEC2",
        0xF003,
        3,
        ENGINE,
        (
            Parameter(91, "Vehicle.Chassis.Accelerator.PedalPosition", _at(2), 8, 0.4),
            Parameter(92, "Vehicle.Powertrain.Eec2EnginePercentLoad", _at(3), 8, 1.0),
        ),
    ),
    Message(
        "TCO1",
        0xFE6C,
        3,
        TACHOGRAPH,
        (
            Parameter(1612, f"{_DRIVER}1.WorkingState", _at(1), 3, 1, codes=WORKING_STATES),
            Parameter(1613, f"{_DRIVER}2.WorkingState", _at(1, 4), 3, 1, codes=WORKING_STATES),
            Parameter(1615, f"{_DRIVER}1.IsCardPresent", _at(2, 5), 2, 1),
            Parameter(1616, f"{_DRIVER}2.IsCardPresent", _at(3, 5), 2, 1),
            Parameter(1624, "Vehicle.Tachograph.VehicleSpeed", _at(7), 16, 1 / 256),
        ),
    ),
    Message(
        "CCVS1",
        0xFEF1,
        6,
        ENGINE,
        (
            Parameter(70, "Vehicle.Chassis.ParkingBrake.IsEngaged", _at(1, 3), 2, 1),
            Parameter(84, "Vehicle.Speed", _at(2), 16, 1 / 256),
            Parameter(597, "Vehicle.ADAS.CruiseControl.IsBrakePressed", _at(4, 5), 2, 1),
        ),
    ),
    Message(
        "LFE1",
        0xFEF2,
        6,
        ENGINE,
        (
            Parameter(183, f"{_FUEL}.InstantRate", _at(1), 16, 0.05),
            Parameter(51, f"{_ENGINE}.TPS", _at(7), 8, 0.4),
        ),
    ),
    Message(
        "HRLFC",
        0xFD09,
        6,
        ENGINE,
        (Parameter(5054, f"{_FUEL}.AccumulatedConsumption", _at(5), 32, 1.0),),
    ),
    Message(
        "VDHR",
        0xFEC1,
        6,
        CLUSTER,
        (Parameter(917, "Vehicle.TraveledDistanceHighRes", _at(1), 32, 5.0),),
    ),
    Message(
        "VD", 0xFEE0, 6, CLUSTER, (Parameter(245, "Vehicle.TraveledDistance", _at(5), 32, 125.0),)
    ),
    Message(
        "CVW",
        0xFE70,
        6,
        AXLE_WEIGHTS,
        (Parameter(1760, "Vehicle.CurrentOverallWeight", _at(3), 16, 10.0),),
    ),
    Message(
        "DD1",
        0xFEFC,
        6,
        CLUSTER,
        (Parameter(96, f"{_FUEL}.Tank.First.RelativeLevel", _at(2), 8, 0.4),),
    ),
    Message(
        "ET1",
        0xFEEE,
        6,
        ENGINE,
        (Parameter(110, f"{_ENGINE}.EngineCoolant.Temperature", _at(1), 8, 1.0, -40.0),),
    ),
    Message(
        "AMB",
        0xFEF5,
        6,
        ENGINE,
        (Parameter(171, "Vehicle.Exterior.AirTemperature", _at(4), 16, 1 / 32, -273.0),),
    ),
    Message(
        "HOURS", 0xFEE5, 6, ENGINE, (Parameter(247, f"{_ENGINE}.EngineHours", _at(1), 32, 0.05),)
    ),
    Message(
        "VEP1",
        0xFEF7,
        6,
        ENGINE,
        (Parameter(168, "Vehicle.LowVoltageBattery.CurrentVoltage", _at(5), 16, 0.05),),
    ),
    Message(
        "EBC1",
        0xF001,
        6,
        BRAKES,
        (Parameter(521, "Vehicle.Chassis.Brake.PedalPosition", _at(2), 8, 0.4),),
    ),
    Message(
        "ETC2",
        0xF005,
        6,
        TRANSMISSION,
        (Parameter(523, "Vehicle.Powertrain.Transmission.CurrentGear", _at(4), 8, 1.0, -125.0),),
    ),
    Message(
        "VDC2",
        0xF009,
        6,
        BRAKES,
        (
            Parameter(
                1808,
                "Vehicle.AngularVelocity.Yaw",
                _at(4),
                16,
                _PER_RADIAN / 8192,
                -3.92 * _PER_RADIAN,
            ),
            Parameter(1809, "Vehicle.Acceleration.Lateral", _at(6), 16, 1 / 2048, -15.687),
            Parameter(1810, "Vehicle.Acceleration.Longitudinal", _at(8), 8, 0.1, -12.5),
        ),
    ),
    Message(
        "AT1T1I1",
        0xFE56,
        6,
        EXHAUST,
        (Parameter(1761, f"{_ENGINE}.DieselExhaustFluid.Level", _at(1), 8, 0.4),),
    ),
)

SENT_PATHS = frozenset(p.path for message in MESSAGES for p in message.parameters)
