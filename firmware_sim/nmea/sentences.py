"""Fixes as NMEA 0183 sentences (GGA, RMC, GSA), and the one by which a played drive ends.

Speed and course travel with a position only. What the drive does not know stays an empty field.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from firmware_sim.drives import position
from firmware_sim.drives.model import MS_NS, Record, Value

KMH_PER_KNOT = 1.852
END_OF_DRIVE = "PHLPEND"
"""Proprietary: the drive has ended in order, nothing follows."""

_MINUTE_DECIMALS = 7
_PER_MINUTE = 10**_MINUTE_DECIMALS
_GSA_DIMENSIONS = {"TWO_D": 2, "THREE_D": 3}
_GSA_SATELLITES = 12
_NUMBER_MAX = 1e6


def sentence(body: str) -> bytes:
    """``$body*checksum`` with its line end; the checksum is the XOR of the body's bytes."""
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode("ascii")


def end_sentence() -> bytes:
    """What the bench truck says last."""
    return sentence(END_OF_DRIVE)


def fix_sentences(record: Record) -> bytes:
    """The sentences of a record's fix; none without a position. Times are UTC, to the ms."""
    if not position.is_valid(record.values):
        return b""
    seconds, rest_ns = divmod(record.time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    time = f"{moment:%H%M%S}.{rest_ns // MS_NS:03d}"
    where = _where(record.values)
    sentences = [
        sentence(_gga(time, where, record.values)),
        sentence(_rmc(time, f"{moment:%d%m%y}", where, record.values)),
    ]
    dimensions = _GSA_DIMENSIONS.get(str(record.values.get(position.FIX_TYPE)))
    if dimensions is not None:
        sentences.append(sentence(_gsa(dimensions, record.values)))
    return b"".join(sentences)


def _gga(time: str, where: str, values: Mapping[str, Value]) -> str:
    satellites = _number(values, position.SATELLITES, 0)
    hdop = _number(values, position.HDOP, 2)
    altitude = _number(values, position.ALTITUDE, 2)
    unit = "M" if altitude else ""
    return f"GPGGA,{time},{where},1,{satellites},{hdop},{altitude},{unit},,,,"


def _rmc(time: str, date: str, where: str, values: Mapping[str, Value]) -> str:
    speed = _number(values, position.SPEED, 3, 1 / KMH_PER_KNOT)
    course = _number(values, position.HEADING, 2)
    return f"GPRMC,{time},A,{where},{speed},{course},{date},,,A"


def _gsa(dimensions: int, values: Mapping[str, Value]) -> str:
    return f"GPGSA,A,{dimensions}{',' * _GSA_SATELLITES},,{_number(values, position.HDOP, 2)},"


def _where(values: Mapping[str, Value]) -> str:
    latitude, longitude = float(values[position.LATITUDE]), float(values[position.LONGITUDE])
    north_south = _degrees_and_minutes(latitude, 2) + (",N" if latitude >= 0 else ",S")
    east_west = _degrees_and_minutes(longitude, 3) + (",E" if longitude >= 0 else ",W")
    return f"{north_south},{east_west}"


def _degrees_and_minutes(angle: float, degree_digits: int) -> str:
    units = round(abs(angle) * 60 * _PER_MINUTE)
    degrees, rest = divmod(units, 60 * _PER_MINUTE)
    minutes, decimals = divmod(rest, _PER_MINUTE)
    return f"{degrees:0{degree_digits}d}{minutes:02d}.{decimals:0{_MINUTE_DECIMALS}d}"


def _number(values: Mapping[str, Value], path: str, decimals: int, factor: float = 1.0) -> str:
    value = values.get(path)
    if not isinstance(value, float) or abs(value) >= _NUMBER_MAX:
        return ""
    return f"{value * factor:.{decimals}f}"
