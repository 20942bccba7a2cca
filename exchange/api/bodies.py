"""Types that more than one body has."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from schemas.limits import STATEMENT_BYTES_MAX, SUBJECT_CHARS_MAX, TIME_MS_MAX
from schemas.names import NAME_PATTERN

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_HEX_MAX = 8_192

Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$", max_length=_KEY_HEX_MAX)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SignedStatement = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]+$",
        max_length=STATEMENT_BYTES_MAX * 4 // 3 + 4,
        description="One COSE_Sign1 statement, base64url without padding.",
    ),
]


DeviceName = Annotated[str, Path(pattern=f"^{NAME_PATTERN}$", description="The device's name.")]


class SignedBody(BaseModel):
    """One statement that the carrier signed."""

    statement: SignedStatement


def _as_text(value: object) -> object:
    """Only a written time: digits alone would be read as seconds since 1970."""
    if not isinstance(value, str) or value.replace(".", "").lstrip("+-").isdecimal():
        raise ValueError("write a time with its zone, like 2026-01-01T08:00:00Z")
    return value


def _in_range(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("name the zone as well, like 2026-01-01T08:00:00Z")
    if not 0 <= ms_of(value) <= TIME_MS_MAX:
        raise ValueError("a time from 1970 to 9999")
    return value


def ms_of(value: datetime) -> int:
    """UTC ms since 1970 of a time with its zone, cut to the millisecond."""
    return (value - _EPOCH) // timedelta(milliseconds=1)


def time_of(ms: int) -> str:
    """RFC 3339 text, UTC with ms, of ms since 1970."""
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


VehicleName = Annotated[
    str,
    Query(
        min_length=1,
        max_length=SUBJECT_CHARS_MAX,
        pattern=r"^[^\x00]*$",
        description="The vehicle's pseudonym.",
    ),
]
Time = Annotated[datetime, BeforeValidator(_as_text), AfterValidator(_in_range)]
