"""COSE_Sign1 (RFC 9052) in the form of ``docs/evidence.md``, and the times in its payloads."""

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2

from ledger.evidence.independent.canonical import Refused, decoded, encoded, fields, shaped
from ledger.evidence.independent.keys import Key

SEGMENT, GAP, TRIP, REVOCATION, DEVICE_KEY, ORG_KEY = 1, 2, 3, 10, 11, 12
BINDING, DECLARATION = 17, 18
_TYPE_TEXTS = (
    "hp-seg hp-gap hp-trip hp-mile hp-way hp-con hp-set hp-claim hp-grant hp-rev hp-dev hp-org "
    "hp-erase hp-acc hp-time hp-comm hp-bind hp-decl hp-trust"
)
TYPES = dict(enumerate(_TYPE_TEXTS.split(), start=1))
"""Type text by kind."""

_CODE = "malformed-statement"
_ISSUER = re.compile(r"hp:([a-z0-9][a-z0-9-]{0,62})(?:/([a-z0-9][a-z0-9-]{0,62}))?")
_TAG_18 = b"\xd2"
_BYTES_MAX = 65_536
_INFLATED_MAX = 65_536
_WIDTHS = {72: 1, 77: 2, 78: 4, 79: 8}


@dataclass(frozen=True)
class Signed:
    """A statement taken apart; nothing is verified."""

    index: int
    kind: int
    digest: bytes
    alg: int
    kid: bytes
    org: str
    device: str | None
    subject: str
    origin: str
    type: str
    payload: bytes
    to_be_signed: bytes
    signature: bytes

    @property
    def issuer(self) -> str:
        """Who says it, as the header has it."""
        return f"hp:{self.org}" + ("" if self.device is None else f"/{self.device}")

    def verifies(self, key: Key) -> bool:
        """Whether the key is the one named, and signed the statement."""
        named = key.alg == self.alg and key.thumbprint[:8] == self.kid
        return named and key.verifies(self.to_be_signed, self.signature)


def read_statement(index: int, kind: int, raw: bytes) -> Signed:
    """Take a statement apart; ``Refused(malformed-statement)``."""
    what = f"statement {index}"
    if raw[:1] != _TAG_18 or len(raw) > _BYTES_MAX:
        raise Refused(_CODE, f"{what} is no COSE_Sign1")
    parts = decoded(raw[1:], _CODE, what)
    protected, unprotected, payload, signature = shaped(
        parts, _CODE, what, bytes, dict, bytes, bytes
    )
    if unprotected:
        raise Refused(_CODE, f"{what} has an unprotected header")
    labels = {1: int, 4: bytes, 15: dict, 16: str}
    header = fields(decoded(protected, _CODE, "a header"), _CODE, "a header", labels)
    claims = fields(header[15], _CODE, "the claims", {1: str, 2: str, 3: str})
    issuer = _ISSUER.fullmatch(claims[1])
    if issuer is None or len(header[4]) != 8:
        raise Refused(_CODE, f"statement {index} has no issuer or key id")
    return Signed(
        index=index,
        kind=kind,
        digest=sha256(raw).digest(),
        alg=header[1],
        kid=header[4],
        org=issuer[1],
        device=issuer[2],
        subject=claims[2],
        origin=claims[3],
        type=header[16],
        payload=payload,
        to_be_signed=encoded(["Signature1", protected, b"", payload]),
        signature=signature,
    )


def read_payload(
    signed: Signed, code: str, needed: dict[int, type], others: dict[int, type] | None = None
) -> dict[int, Any]:
    """The map of a payload of version 1 with exactly these keys; ``Refused(code)``."""
    what = f"the payload of statement {signed.index}"
    found = fields(decoded(signed.payload, code, what), code, what, needed, others)
    if found[1] != 1:
        raise Refused(code, f"{what} is of another version")
    return found


def time_span(signed: Signed) -> tuple[int, int]:
    """First and last moment, events included, in UTC ms; ``Refused(malformed-statement)``."""
    payload = decoded(signed.payload, _CODE, f"the payload of statement {signed.index}")
    if type(payload) is not dict or type(payload.get(5)) is not int or payload[5] < 0:
        raise Refused(_CODE, f"statement {signed.index} has no time")
    if signed.kind == GAP:
        if type(payload.get(6)) is not int:
            raise Refused(_CODE, f"statement {signed.index} is a gap without an end")
        return payload[5], payload[6]
    offsets = [0, *_offsets_ms(payload.get(6), payload.get(7))]
    return payload[5] + min(offsets), payload[5] + max(offsets)


def _offsets_ms(samples: Any, events: Any) -> list[int]:
    """Offsets of the last sample and of the events; none where they cannot be read."""
    try:
        data = zlib.decompressobj(-15).decompress(samples, _INFLATED_MAX)
        n, time, _ = cbor2.loads(data)
        last = (n - 1) * time if type(time) is int else _last_value(*time)
        return [int(last), *(int(event[0]) for event in events)]
    except Exception:
        # The samples are not what is verified here; unread, the segment counts by its start alone.
        return []


def _last_value(first: int, deltas: Any) -> int:
    """Last value of a column without missing ones: each delta is against the value before."""
    width = _WIDTHS[deltas.tag]
    data: bytes = deltas.value
    steps = (data[at : at + width] for at in range(0, len(data), width))
    return first + sum(int.from_bytes(step, "little", signed=True) for step in steps)
