"""Keys as records of the log: each is signed by a key before it, and signs what comes after."""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ledger.evidence.independent.canonical import Refused, encoded
from ledger.evidence.independent.endings import Endings, Known, read_boots
from ledger.evidence.independent.keys import Key, read_key
from ledger.evidence.independent.statement import (
    BINDING,
    DECLARATION,
    DEVICE_KEY,
    GAP,
    ORG_KEY,
    REVOCATION,
    SEGMENT,
    TRIP,
    Signed,
    read_payload,
    time_span,
)

_ROLES = {"operator", "carrier", "freight", "settlement", "insurer", "bank", "regulator"}
_BAD_KEY = "bad-key-record"
_MALFORMED = "malformed-statement"


@dataclass(frozen=True)
class Bound:
    """A binding that its carrier signed."""

    index: int
    carrier: str
    device: str
    vehicle: str
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True)
class TripRead:
    """What a trip says of where it comes from."""

    carrier: str
    vehicle: str
    thresholds: bytes
    inputs: list[int]
    digests: bytes
    bindings: list[int]
    watermark: int | None


class Keyring:
    """Takes statements in the order of the log; every broken rule is told to ``refuse``."""

    def __init__(
        self, origin: str, pins: dict[str, set[bytes]], refuse: Callable[[Refused], None]
    ) -> None:
        self.unchecked: set[str] = set()
        self.readings: list[Signed] = []
        self.bindings: list[Bound] = []
        self.trips: list[TripRead] = []
        self._operator = ""
        self._orgs: dict[tuple[str, str, bytes], dict[bytes, Key]] = {}
        self._devices: dict[tuple[str, str, bytes], dict[bytes, Key]] = {}
        self._endings = Endings()
        self._origin = origin
        self._pins = pins
        self._refuse = refuse

    def take(self, signed: Signed) -> None:
        """Check who signed it and keep what it says; ``Refused``."""
        takers: dict[int, Callable[[Signed], None]] = {
            ORG_KEY: self._take_org_key,
            DEVICE_KEY: self._take_device_key,
            REVOCATION: self._take_revocation,
            DECLARATION: self._take_declaration,
            BINDING: self._take_binding,
            SEGMENT: self._take_reading,
            GAP: self._take_reading,
            TRIP: self._take_trip,
        }
        if signed.kind not in takers:
            raise Refused("unexpected-statement", f"statement {signed.index} has no place here")
        takers[signed.kind](signed)

    def signed_by_operator(self, signed: Signed) -> bool:
        """Whether a key of the exchange signed it."""
        try:
            self._check_signature(signed, self._keys_of_operator(signed))
        except Refused:
            return False
        return True

    def check_bindings(self) -> None:
        """Every segment and gap meets a binding of its device to its vehicle."""
        sat: dict[tuple[str, str | None, str], list[tuple[float, float]]] = {}
        for bound in self.bindings:
            end = math.inf if bound.to_ms is None else bound.to_ms
            named = (bound.carrier, bound.device, bound.vehicle)
            sat.setdefault(named, []).append((bound.from_ms, end))
        joined = {named: _joined(spans) for named, spans in sat.items()}
        for reading in self.readings:
            begin, end = time_span(reading)
            spans = joined.get((reading.org, reading.device, reading.subject), [])
            before = bisect.bisect_right(spans, (end, math.inf))
            if before == 0 or spans[before - 1][1] <= begin:
                detail = f"no binding covers statement {reading.index}"
                self._refuse(Refused("unbound-vehicle", detail))

    def _take_org_key(self, signed: Signed) -> None:
        needed = {1: int, 2: str, 3: str, 4: bytes, 5: bytes, 6: int, 9: bytes}
        record = read_payload(signed, _BAD_KEY, needed)
        name, role, key = record[2], record[3], read_key(record[4], _BAD_KEY)
        if role not in _ROLES or len(record[9]) != 16:
            raise Refused(_BAD_KEY, f"statement {signed.index} is no organisation key")
        self._check_possession(key, encoded(["hp-possession-org", record[4]]), record[5])
        keys = self._keys_of_operator(signed)
        of_itself = (signed.org, signed.device) == (name, None)
        if not self._operator and role == "operator" and of_itself:
            keys = [key]
        self._check_signature(signed, keys)
        if signed.subject != name:
            raise Refused("wrong-subject", f"statement {signed.index} is of another organisation")
        pinned = self._pins.get(f"hp:{name}")
        if pinned is not None and key.thumbprint not in pinned:
            self._refuse(Refused("pin-mismatch", f"hp:{name} is pinned to another key"))
        self._operator = self._operator or name
        self._orgs.setdefault((name, role, key.thumbprint[:8]), {})[key.thumbprint] = key
        self._enter(signed, f"hp:{name}", key)

    def _take_device_key(self, signed: Signed) -> None:
        self._check_signature(signed, self._keys_of_carrier(signed))
        types: list[type] = [int, str, str, bytes, bytes, int, str, int, bytes]
        rotation: dict[int, type] = {10: bytes, 11: list}
        record = read_payload(signed, _BAD_KEY, dict(enumerate(types, start=1)), rotation)
        carrier, device, key = record[2], record[3], read_key(record[4], _BAD_KEY)
        message = encoded(["hp-possession-device", carrier, device, self._origin])
        self._check_possession(key, message, record[5])
        if record[6] not in (1, 2, 3) or len(record[9]) != 16:
            raise Refused(_BAD_KEY, f"statement {signed.index} is no device key")
        if (carrier, device) != (signed.org, signed.subject):
            raise Refused("wrong-subject", f"statement {signed.index} is of another device")
        what = f"statement {signed.index}"
        rotates = [number in record for number in rotation]
        if any(rotates) and (not all(rotates) or len(record[10]) != 32):
            raise Refused(_BAD_KEY, f"{what} is no rotation")
        boots = read_boots(record[11], what) if all(rotates) else {}
        holder = f"hp:{carrier}/{device}"
        named = (carrier, device, key.thumbprint[:8])
        self._devices.setdefault(named, {})[key.thumbprint] = key
        self._enter(signed, holder, key)
        if all(rotates):
            self._endings.listed.setdefault((holder, record[10]), []).append(boots)

    def _enter(self, signed: Signed, holder: str, key: Key) -> None:
        known = Known(signed.kind, signed.issuer, signed.subject, holder, key.thumbprint)
        self._endings.records[signed.digest] = known

    def _take_revocation(self, signed: Signed) -> None:
        needed = {1: int, 2: int, 3: bytes, 4: int, 9: bytes}
        record = read_payload(signed, _MALFORMED, needed)
        known_kind = record[2] in (9, DEVICE_KEY, ORG_KEY)
        if not known_kind or len(record[3]) != 32 or len(record[9]) != 16:
            raise Refused(_MALFORMED, f"statement {signed.index} is no revocation")
        of_org = record[2] == ORG_KEY
        keys = self._keys_of_operator(signed) if of_org else self._keys_of_carrier(signed)
        self._check_signature(signed, keys)
        self._endings.revoke(signed, record[2], record[3])

    def _take_declaration(self, signed: Signed) -> None:
        self._check_signature(signed, self._keys_of_carrier(signed))
        record = read_payload(signed, _MALFORMED, {1: int, 2: int, 3: int, 4: list, 9: bytes})
        if record[2] != 1:
            raise Refused(_MALFORMED, f"statement {signed.index} declares no release")
        self._endings.release(signed, record[4])

    def _take_binding(self, signed: Signed) -> None:
        self._check_signature(signed, self._keys_of_carrier(signed))
        needed = {1: int, 2: str, 3: str, 4: int, 9: bytes}
        record = read_payload(signed, _MALFORMED, needed, {5: int})
        if record[3] != signed.subject:
            raise Refused("wrong-subject", f"statement {signed.index} is of another vehicle")
        bound = Bound(signed.index, signed.org, record[2], record[3], record[4], record.get(5))
        self.bindings.append(bound)

    def _take_reading(self, signed: Signed) -> None:
        named = (signed.org, signed.device or "", signed.kid)
        self._check_signature(signed, list(self._devices.get(named, {}).values()))
        time_span(signed)
        self.readings.append(signed)

    def _take_trip(self, signed: Signed) -> None:
        self._check_signature(signed, self._keys_of_operator(signed))
        needed = {1: int, 2: dict, 3: dict, 4: bytes, 9: bytes}
        record = read_payload(signed, _MALFORMED, needed)
        content, provenance = record[2], record[3]
        if sha256(encoded(content)).digest() != record[4] or not _is_trip(content, provenance):
            raise Refused(_MALFORMED, f"statement {signed.index} is no trip")
        if content[3] != signed.subject:
            raise Refused("wrong-subject", f"statement {signed.index} is of another vehicle")
        self.trips.append(
            TripRead(
                carrier=content[2],
                vehicle=content[3],
                thresholds=content[5],
                inputs=_summed(provenance[3]),
                digests=provenance[4],
                bindings=_summed(provenance[7]),
                watermark=provenance[8][0] if 8 in provenance else None,
            )
        )

    def _keys_of_operator(self, signed: Signed) -> list[Key]:
        return self._keys_of(signed, "operator") if signed.org == self._operator else []

    def _keys_of_carrier(self, signed: Signed) -> list[Key]:
        return self._keys_of(signed, "carrier")

    def _keys_of(self, signed: Signed, role: str) -> list[Key]:
        found = self._orgs.get((signed.org, role, signed.kid), {})
        return [] if signed.device is not None else list(found.values())

    def _check_signature(self, signed: Signed, keys: list[Key]) -> None:
        named = [key for key in keys if (key.alg, key.thumbprint[:8]) == (signed.alg, signed.kid)]
        if not named:
            detail = f"no key before statement {signed.index} in the file is its issuer's"
            raise Refused("unknown-issuer", detail)
        right = [key for key in named if signed.verifies(key)]
        if not right:
            raise Refused("bad-statement-signature", f"statement {signed.index} was not signed")
        self._endings.check(signed, right[0].thumbprint)
        self._count(right[0])

    def _check_possession(self, key: Key, message: bytes, proof: bytes) -> None:
        if not key.verifies(message, proof):
            raise Refused(_BAD_KEY, "a key record whose proof of possession does not verify")
        self._count(key)

    def _count(self, key: Key) -> None:
        if key.verifier is None:
            self.unchecked.add(key.suite)


def _is_trip(content: dict[Any, Any], provenance: dict[Any, Any]) -> bool:
    steps = [provenance.get(3), provenance.get(7)]
    watermark = provenance.get(8, [0, 0])
    return (
        [type(content.get(key)) for key in (2, 3, 5)] == [str, str, bytes]
        and type(provenance.get(4)) is bytes
        and type(watermark) is list
        and [type(item) for item in watermark] == [int, int]
        and all(type(one) is list and all(type(step) is int for step in one) for one in steps)
    )


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time as spans that do not touch, in order."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _summed(steps: list[int]) -> list[int]:
    indices: list[int] = []
    for step in steps:
        indices.append(step + (indices[-1] if indices else 0))
    return indices
