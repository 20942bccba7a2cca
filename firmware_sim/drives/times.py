"""Times that a recording may hold: written out as text, and the years that are believed."""

from datetime import UTC, datetime

from firmware_sim.drives.model import ABSOLUTE_FROM_NS, MS_NS

UTC_UNTIL_NS = 4_102_444_800 * 10**9
"""The year 2100: what lies beyond is no time of a drive."""

SECOND_NS = 10**9


def utc_ns_of(text: str) -> int | None:
    """An ISO 8601 time as ns since 1970, to the ms; None when it is none, or not of 2000 to 2099.

    A time without zone is UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
        utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return believed(ns_of(utc))


def ns_of(utc: datetime) -> int:
    """An aware time as ns since 1970, to the ms."""
    whole = int(utc.replace(microsecond=0).timestamp()) * SECOND_NS
    return whole + utc.microsecond // 1_000 * MS_NS


def believed(time_ns: int) -> int | None:
    """The time itself when it is of 2000 to 2099."""
    return time_ns if ABSOLUTE_FROM_NS <= time_ns < UTC_UNTIL_NS else None
