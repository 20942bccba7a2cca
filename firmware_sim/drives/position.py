"""Which positions a receiver vouched for. One that it did not becomes no position at all."""

from collections.abc import Iterator, Mapping

from firmware_sim.drives.model import Record, Tally, Value

LATITUDE = "Vehicle.CurrentLocation.Latitude"
LONGITUDE = "Vehicle.CurrentLocation.Longitude"
ALTITUDE = "Vehicle.CurrentLocation.Altitude"
HEADING = "Vehicle.CurrentLocation.Heading"
SPEED = "Vehicle.CurrentLocation.Speed"
FIX_TYPE = "Vehicle.CurrentLocation.GNSSReceiver.FixType"
SATELLITES = "Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed"
HDOP = "Vehicle.CurrentLocation.GNSSReceiver.HDOP"

COORDINATES = frozenset({LATITUDE, LONGITUDE})
OF_A_FIX = COORDINATES | {ALTITUDE, HEADING, SPEED, FIX_TYPE, SATELLITES, HDOP}

NO_FIX = "NONE"
ALTITUDE_MIN_M = -1_000.0
"""Below any road: receivers write the bottom of their range (-5400 m, -6000 m) without a fix."""


def joined(records: Iterator[Record]) -> Iterator[Record]:
    """Neighbours of the same time as one record, the later value counting."""
    now_ns, values = 0, dict[str, Value]()
    for record in records:
        if record.time_ns != now_ns and values:
            yield Record(now_ns, values)
            values = {}
        now_ns = record.time_ns
        values |= record.values
    if values:
        yield Record(now_ns, values)


def judged(records: Iterator[Record], tally: Tally) -> Iterator[Record]:
    """The records that still hold a value once positions without a fix are taken out."""
    for record in records:
        values = without_invalid(record.values, tally)
        if values:
            yield Record(record.time_ns, values)


def without_invalid(values: Mapping[str, Value], tally: Tally) -> Mapping[str, Value]:
    """The values less those of a fix that is incomplete or that the receiver did not have."""
    if not values.keys() & OF_A_FIX or is_valid(values):
        return values
    if values.keys() >= COORDINATES:
        tally.no_position += 1
    return {path: value for path, value in values.items() if path not in OF_A_FIX}


def is_valid(values: Mapping[str, Value]) -> bool:
    """Whether these values hold a whole position, on Earth, with a fix."""
    latitude, longitude = values.get(LATITUDE), values.get(LONGITUDE)
    if not isinstance(latitude, float) or not isinstance(longitude, float):
        return False
    if not (-90 < latitude < 90 and -180 <= longitude <= 180) or latitude == longitude == 0:
        return False
    altitude = values.get(ALTITUDE)
    if isinstance(altitude, float) and altitude < ALTITUDE_MIN_M:
        return False
    return values.get(FIX_TYPE) != NO_FIX
