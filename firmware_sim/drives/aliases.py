"""Header names that loggers use, with their units in the name, and what each of them means.

Names are compared in lower case with every other sign as an underscore: "Speed (km/h)" is
``speed_km_h``. VSS paths are taken as they stand. What is not here is named and left out.
"""

import re
from dataclasses import dataclass

from firmware_sim.drives import position
from firmware_sim.drives.values import CARRIED
from firmware_sim.j1939.messages import VIN

KMH_PER_MPH = 1.609344
KMH_PER_MPS = 3.6
KMH_PER_KNOT = 1.852
METRES_PER_MILE = 1_609.344
METRES_PER_FOOT = 0.3048
MPS2_PER_G = 9.80665

SPEED = "speed"
"""A speed of whatever source: the table's other columns decide which (see ``table``)."""

SPEED_SOURCE = "speed source"
FIX = "fix"
"""A number: 0 none, 2 and 3 dimensions, 1 a fix of unknown dimensions."""

FIX_QUALITY = "fix quality"
"""GGA's number: 0 none, 6 estimated, 7 typed in, 8 simulated; the others are measured."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column holds: a VSS path or one of the roles above; cell * factor is in VSS units."""

    path: str
    factor: float = 1.0


_ENGINE = "Vehicle.Powertrain.CombustionEngine"
_FUEL = "Vehicle.Powertrain.FuelSystem"

_SPEED_UNITS = {
    KMH_PER_MPH: ("mph",),
    KMH_PER_MPS: ("mps", "ms", "m_s"),
    1.0: ("kmh", "kph", "km_h"),
    KMH_PER_KNOT: ("knots", "kn", "kt"),
}
_SPEED_PREFIXES = {
    SPEED: ("speed",),
    position.SPEED: ("gps_speed", "gnss_speed", "speed_over_ground", "sog"),
    "Vehicle.Speed": ("vehicle_speed", "obd_speed", "wheel_speed", "can_speed", "wheelbased_speed"),
    "Vehicle.Tachograph.VehicleSpeed": ("tacho_speed", "tachograph_speed"),
}
_COORDINATE_PREFIXES = ("", "gps_", "gnss_")

_PLAIN: dict[str, Meaning] = {
    "speed_source": Meaning(SPEED_SOURCE),
    "engine_rpm": Meaning(f"{_ENGINE}.Speed"),
    "engine_speed_rpm": Meaning(f"{_ENGINE}.Speed"),
    "rpm": Meaning(f"{_ENGINE}.Speed"),
    "engine_throttle": Meaning(f"{_ENGINE}.TPS"),
    "throttle_pct": Meaning(f"{_ENGINE}.TPS"),
    "throttle_percent": Meaning(f"{_ENGINE}.TPS"),
    "engine_load_pct": Meaning("Vehicle.Powertrain.Eec2EnginePercentLoad"),
    "engine_load_percent": Meaning("Vehicle.Powertrain.Eec2EnginePercentLoad"),
    "accelerator_pct": Meaning("Vehicle.Chassis.Accelerator.PedalPosition"),
    "accel_pedal_pct": Meaning("Vehicle.Chassis.Accelerator.PedalPosition"),
    "brake_pedal_pct": Meaning("Vehicle.Chassis.Brake.PedalPosition"),
    "coolant_degc": Meaning(f"{_ENGINE}.EngineCoolant.Temperature"),
    "coolant_c": Meaning(f"{_ENGINE}.EngineCoolant.Temperature"),
    "coolant_temp_c": Meaning(f"{_ENGINE}.EngineCoolant.Temperature"),
    "ambient_degc": Meaning("Vehicle.Exterior.AirTemperature"),
    "ambient_c": Meaning("Vehicle.Exterior.AirTemperature"),
    "ambient_temp_c": Meaning("Vehicle.Exterior.AirTemperature"),
    "outside_temp_c": Meaning("Vehicle.Exterior.AirTemperature"),
    "engine_hours": Meaning(f"{_ENGINE}.EngineHours"),
    "engine_hours_h": Meaning(f"{_ENGINE}.EngineHours"),
    "battery_v": Meaning("Vehicle.LowVoltageBattery.CurrentVoltage"),
    "module_voltage_v": Meaning("Vehicle.LowVoltageBattery.CurrentVoltage"),
    "battery_voltage_v": Meaning("Vehicle.LowVoltageBattery.CurrentVoltage"),
    "odometer_m": Meaning("Vehicle.TraveledDistanceHighRes"),
    "odometer_km": Meaning("Vehicle.TraveledDistanceHighRes", 1_000.0),
    "odometer_mi": Meaning("Vehicle.TraveledDistanceHighRes", METRES_PER_MILE),
    "odometer_miles": Meaning("Vehicle.TraveledDistanceHighRes", METRES_PER_MILE),
    "fuel_level_pct": Meaning(f"{_FUEL}.Tank.First.RelativeLevel"),
    "fuel_level_percent": Meaning(f"{_FUEL}.Tank.First.RelativeLevel"),
    "fuel_rate_lph": Meaning(f"{_FUEL}.InstantRate"),
    "fuel_rate_l_h": Meaning(f"{_FUEL}.InstantRate"),
    "fuel_used_l": Meaning(f"{_FUEL}.AccumulatedConsumption", 1_000.0),
    "total_fuel_l": Meaning(f"{_FUEL}.AccumulatedConsumption", 1_000.0),
    "def_level_pct": Meaning(f"{_ENGINE}.DieselExhaustFluid.Level"),
    "adblue_level_pct": Meaning(f"{_ENGINE}.DieselExhaustFluid.Level"),
    "weight_kg": Meaning("Vehicle.CurrentOverallWeight"),
    "gross_weight_kg": Meaning("Vehicle.CurrentOverallWeight"),
    "gear": Meaning("Vehicle.Powertrain.Transmission.CurrentGear"),
    "yaw_rate_deg_s": Meaning("Vehicle.AngularVelocity.Yaw"),
    "yaw_rate_degps": Meaning("Vehicle.AngularVelocity.Yaw"),
    "accel_forward_mps2": Meaning("Vehicle.Acceleration.Longitudinal"),
    "accel_forward_g": Meaning("Vehicle.Acceleration.Longitudinal", MPS2_PER_G),
    "accel_left_mps2": Meaning("Vehicle.Acceleration.Lateral"),
    "accel_left_g": Meaning("Vehicle.Acceleration.Lateral", MPS2_PER_G),
    "parking_brake": Meaning("Vehicle.Chassis.ParkingBrake.IsEngaged"),
    "vin": Meaning(VIN),
}

DIALECTS: tuple[tuple[frozenset[str], dict[str, Meaning]], ...] = (
    (  # DrivePlotR: x forward, y to the right, in g (README of the recording; signs checked on it)
        frozenset({"accel_event_cat", "gps_heading_raw"}),
        {
            "accel_x": Meaning("Vehicle.Acceleration.Longitudinal", MPS2_PER_G),
            "accel_y": Meaning("Vehicle.Acceleration.Lateral", -MPS2_PER_G),
        },
    ),
    (  # comma2k19: the unit is a column of its own
        frozenset({"unit_mps2"}),
        {
            "ax_forward": Meaning("Vehicle.Acceleration.Longitudinal"),
            "ay_right": Meaning("Vehicle.Acceleration.Lateral", -1.0),
        },
    ),
)
"""Names that say no unit or axis, known from the company that they keep."""


def normalised(name: str) -> str:
    """A header name as the tables write it."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def meanings(header: list[str]) -> list[Meaning | None]:
    """What each column means; None for one that is unknown or means what an earlier one does."""
    names = {normalised(name) for name in header}
    dialect: dict[str, Meaning] = {}
    for company, extra in DIALECTS:
        if company <= names:
            dialect |= extra
    found: list[Meaning | None] = []
    for name in header:
        meaning = dialect.get(normalised(name)) or meaning_of(name)
        taken = meaning is not None and any(m and m.path == meaning.path for m in found)
        found.append(None if taken else meaning)
    return found


def meaning_of(name: str) -> Meaning | None:
    """What a name means by itself: a VSS path as it stands, or an alias."""
    path = name.strip()
    return Meaning(path) if path in CARRIED else ALIASES.get(normalised(name))


def _speeds() -> dict[str, Meaning]:
    return {
        f"{prefix}_{unit}": Meaning(path, factor)
        for path, prefixes in _SPEED_PREFIXES.items()
        for prefix in prefixes
        for factor, units in _SPEED_UNITS.items()
        for unit in units
    }


def _fixes() -> dict[str, Meaning]:
    endings = {
        position.LATITUDE: ("lat", "latitude", "lat_deg", "latitude_deg"),
        position.LONGITUDE: (
            *("lon", "lng", "long", "longitude"),
            *("lon_deg", "lng_deg", "long_deg", "longitude_deg"),
        ),
        position.ALTITUDE: ("alt_m", "altitude_m", "elevation_m", "elevation", "altitude", "alt"),
        position.HEADING: (
            *("heading", "heading_deg", "heading_raw", "bearing", "bearing_deg"),
            *("course", "course_deg", "track_deg"),
        ),
        position.SATELLITES: ("sats", "satellites", "num_sats", "sats_used"),
        position.HDOP: ("hdop",),
        FIX: ("fix", "fix_type"),
        FIX_QUALITY: ("fix_quality",),
    }
    named = {
        f"{prefix}{ending}": Meaning(path)
        for path, names in endings.items()
        for ending in names
        for prefix in _COORDINATE_PREFIXES
    }
    feet = {
        f"{prefix}{ending}": Meaning(position.ALTITUDE, METRES_PER_FOOT)
        for ending in ("alt_ft", "altitude_ft", "elevation_ft")
        for prefix in _COORDINATE_PREFIXES
    }
    return named | feet


ALIASES: dict[str, Meaning] = {**_speeds(), **_fixes(), **_PLAIN}
"""Normalised header name to its meaning, the columns of time excepted (see ``table_clock``)."""
