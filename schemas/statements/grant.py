"""A grant (kind 9): a carrier lets one organisation read, for a purpose and until an end.

Issuer: the carrier; subject: the grantee.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import SALT_BYTES, SUBJECT_CHARS_MAX, TIME_MS_MAX
from schemas.names import is_name

ANY_VEHICLE = "*"
VEHICLES_MAX = 1_000
FIELDS_MAX = 128

_MANDATORY = (1, 2, 3, 4, 5, 7, 8, 9, 10, 12)
_OPTIONAL = (6, 11)


class Purpose(StrEnum):
    """What the data may be used for."""

    FREIGHT = "freight"
    SETTLEMENT = "settlement"
    INSURANCE = "insurance"
    FINANCE = "finance"
    REGULATOR = "regulator"


class Precision(IntEnum):
    """How exact positions may be."""

    NONE = 0
    H3_CELL = 1
    EXACT = 2


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may read what, and why. Times in UTC ms; the window is over captured time."""

    grantee: str
    purpose: Purpose
    legal_basis: str
    vehicles: tuple[str, ...]
    """Vehicle pseudonyms, ascending; ``("*",)`` for every vehicle of the carrier."""
    fields: tuple[str, ...] | None
    """VSS paths and derived fields, ascending; None when all may be read."""
    precision: Precision
    identity: bool
    """Whether the reader may learn devices and segments, not derived records alone."""
    window_from_ms: int
    window_to_ms: int | None
    expires_ms: int
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        fields: dict[int, object] = {
            1: 1,
            2: self.grantee,
            3: str(self.purpose),
            4: self.legal_basis,
            5: list(self.vehicles),
            7: int(self.precision),
            8: int(self.identity),
            9: self.salt,
            10: self.window_from_ms,
            12: self.expires_ms,
        }
        if self.fields is not None:
            fields[6] = list(self.fields)
        if self.window_to_ms is not None:
            fields[11] = self.window_to_ms
        return cbor.encode(fields)

    @property
    def exact_segments(self) -> bool:
        """Whether it allows the full form of evidence, segments and device ids included."""
        return self.fields is None and self.precision is Precision.EXACT and self.identity

    def allows_vehicle(self, vehicle: str) -> bool:
        """Whether the vehicle is among those granted."""
        return self.vehicles == (ANY_VEHICLE,) or vehicle in self.vehicles


def decode(payload: bytes) -> Grant:
    """Read a grant's payload; ``StatementRefused`` when it is none."""
    fields = cbor.take_map(cbor.decode(payload), "a grant", _MANDATORY, _OPTIONAL)
    cbor.take_version(fields[1], "a grant")
    grantee = cbor.take_text(fields[2], "the grantee")
    if not is_name(grantee):
        raise malformed("the grantee is not a name")
    window_to = (
        cbor.take_uint(fields[11], "the window's end", TIME_MS_MAX) if 11 in fields else None
    )
    return Grant(
        grantee=grantee,
        purpose=_take_purpose(fields[3]),
        legal_basis=cbor.take_text(fields[4], "the legal basis", 256),
        vehicles=_take_names(fields[5], "vehicles", VEHICLES_MAX),
        fields=_take_names(fields[6], "fields", FIELDS_MAX) if 6 in fields else None,
        precision=Precision(cbor.take_uint(fields[7], "the precision", Precision.EXACT)),
        identity=bool(cbor.take_uint(fields[8], "identity", 1)),
        window_from_ms=cbor.take_uint(fields[10], "the window's start", TIME_MS_MAX),
        window_to_ms=window_to,
        expires_ms=cbor.take_uint(fields[12], "the end of a grant", TIME_MS_MAX),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )


def _take_purpose(value: object) -> Purpose:
    text = cbor.take_text(value, "the purpose")
    if text not in {purpose.value for purpose in Purpose}:
        raise malformed("a purpose that no version knows")
    return Purpose(text)


def _take_names(value: object, name: str, most: int) -> tuple[str, ...]:
    items = cbor.take_list(value, name)
    if not 0 < len(items) <= most:
        raise malformed(f"not 1 to {most} {name}")
    texts = tuple(cbor.take_text(item, f"one of the {name}", SUBJECT_CHARS_MAX) for item in items)
    if list(texts) != sorted(set(texts)):
        raise malformed(f"{name} are not in ascending order, each once")
    return texts
