"""From a message to a verified statement. Pure: keys are passed in, the clock is not read.

1. size, outer frame and protected header (``sign1.parse``; a device's headers are all the same
   bytes and read once);
2. the issuer is the device of the topic: the topic routes, it gives no authority;
3. the type is that of a segment or a gap, the origin this log's;
4. the device has a key of that name and algorithm, not revoked;
5. the signature;
6. the payload, all but the inside of columns.

What remains, the columns, is checked for a whole batch at once (``exchange.segments.normal``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from exchange.intake.model import Message, Parsed, Refused, Verified, VerifiedGap, VerifiedSegment
from exchange.segments.model import Identity, NewSegment
from schemas.cose import sign1
from schemas.cose.keys import PublicKey
from schemas.errors import Reason, StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import device_issuer
from schemas.segment import read_segment
from schemas.statements import gap
from schemas.wire.topics import parse_segment_topic

_SEGMENT, _GAP = TYPE_TEXT[Kind.SEGMENT], TYPE_TEXT[Kind.GAP]


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """An admitted key of a device."""

    public: PublicKey
    revoked: bool


Device = tuple[str, str]
"""Carrier and device."""

Keys = Mapping[Device, Sequence[DeviceKey]]


NO_DEVICE: Device = ("?", "?")
"""Under which messages are filed that came by a topic of no device."""


def device_of(topic: str) -> Device:
    """Carrier and device of a topic, ``NO_DEVICE`` for one that no device can have published on."""
    try:
        return parse_segment_topic(topic)
    except StatementRefused:
        return NO_DEVICE


def parse(message: Message, origin: str) -> Parsed:
    """Steps 1 to 3; ``StatementRefused``."""
    carrier, device = parse_segment_topic(message.topic)
    statement = sign1.parse(message.payload)
    header = statement.header
    if header.issuer != device_issuer(carrier, device):
        raise StatementRefused(Reason.WRONG_TOPIC, f"{header.issuer} does not publish here")
    if header.type not in (_SEGMENT, _GAP):
        raise StatementRefused(Reason.WRONG_TYPE, "devices send segments and gaps only")
    if header.origin != origin:
        raise StatementRefused(Reason.WRONG_ORIGIN, "signed for another log")
    if "\0" in header.subject:
        raise StatementRefused(Reason.MALFORMED, "a subject that no database can hold")
    return Parsed(message, carrier, device, statement, statement.digest)


def verify(parsed: Parsed, keys: Keys) -> Verified:
    """Steps 4 to 6; ``StatementRefused``."""
    statement = parsed.statement
    key = _key_of(statement, keys.get((parsed.carrier, parsed.device), ()))
    sign1.verify(statement, key)
    if statement.header.type == _GAP:
        stated = gap.decode(statement.payload)
        identity = Identity(parsed.carrier, parsed.device, stated.boot, stated.seq)
        return VerifiedGap(parsed.message, identity, statement, parsed.digest)
    segment = read_segment(statement.payload)
    new = NewSegment(
        identity=Identity(parsed.carrier, parsed.device, segment.boot, segment.seq),
        vehicle=statement.header.subject,
        digest=parsed.digest,
        raw=statement.raw,
        segment=segment,
        received_at=parsed.message.received_at,
    )
    return VerifiedSegment(parsed.message, new, statement)


def _key_of(statement: sign1.Statement, keys: Collection[DeviceKey]) -> PublicKey:
    if not keys:
        raise StatementRefused(Reason.UNKNOWN_ISSUER, "no key of this device is admitted")
    named = [key for key in keys if key.public.kid == statement.header.kid]
    if not named:
        raise StatementRefused(Reason.UNKNOWN_KEY, "the device has no such key")
    # A kid is a hint of 8 bytes: of several keys that share it, the algorithm tells.
    key = next((key for key in named if key.public.alg == statement.header.alg), named[0])
    if key.revoked:
        raise StatementRefused(Reason.REVOKED_KEY, "the key has been revoked")
    return key.public


def refused(
    message: Message,
    reason: Reason,
    detail: str,
    identity: Identity | None = None,
    *,
    passing: bool = False,
) -> Refused:
    """The message with why it was not taken, filed under the device that published it."""
    carrier, device = device_of(message.topic)
    return Refused(message, carrier, device, reason, detail, identity, passing)
