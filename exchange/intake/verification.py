"""From a message to a verified statement. Pure: keys are passed in, the clock is not read.

1. size, outer frame and protected header (``sign1.parse``; a device's headers are all the same
   bytes and read once);
2. the issuer is the device of the topic: the topic routes, it gives no authority;
3. the type is that of a segment or a gap, the origin this log's;
4. the device has a key of that name and algorithm;
5. the signature;
6. the payload, those of segments for a whole batch at once (``exchange.derive.payloads``);
7. the inside of columns, which become the rows of the store (``exchange.segments.normal``);
8. whether the key may still say something new: a revoked one may not, one that was replaced may
   say what its rotation lists. Such a statement is verified and *barred*: it may be in the log.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from exchange.derive.payloads import read_payloads
from exchange.intake.model import Message, Parsed, Refused, Verified, VerifiedGap, VerifiedSegment
from exchange.segments.model import Identity, NewSegment
from exchange.segments.normal import NormalRows, normalise
from schemas.cose import sign1
from schemas.cose.keys import PublicKey
from schemas.errors import Reason, StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import device_issuer
from schemas.statements import gap
from schemas.statements.device_key import Rotation
from schemas.wire.topics import parse_segment_topic

_SEGMENT, _GAP = TYPE_TEXT[Kind.SEGMENT], TYPE_TEXT[Kind.GAP]


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """An admitted key of a device."""

    public: PublicKey
    revoked: bool = False
    rotation: Rotation | None = None
    """What may still come of a key that was replaced."""

    def bars(self, boot: bytes, seq: int) -> Reason | None:
        """Why a new statement of this name is not taken; None when it is."""
        if self.revoked:
            return Reason.REVOKED_KEY
        if self.rotation is not None and not self.rotation.lists(boot, seq):
            return Reason.ROTATED_KEY
        return None


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


@dataclass(frozen=True, slots=True)
class VerifiedBatch:
    """Statements that were verified, in their order; the rows that segments name by place."""

    verified: list[Verified]
    refused: list[Refused]
    rows: NormalRows


def verify_batch(batch: Sequence[Parsed], keys: Keys) -> VerifiedBatch:
    """Steps 4 to 8 for a batch; a statement that is refused says why and spoils no other."""
    verified: dict[int, Verified] = {}
    refusals: list[Refused] = []
    segments: dict[int, tuple[Parsed, DeviceKey]] = {}
    for turn, one in enumerate(batch):
        try:
            key = _key_of(one.statement, keys.get(_device(one), ()))
            sign1.verify(one.statement, key.public)
            if one.statement.header.type == _GAP:
                verified[turn] = _read_gap(one, key)
            else:
                segments[turn] = one, key
        except StatementRefused as refusal:
            refusals.append(refused(one.message, refusal.reason, refusal.detail))
    payloads = read_payloads([one.statement.payload for one, _ in segments.values()])
    rows, seqs = normalise(payloads), payloads.seqs.tolist()
    for place, (turn, (one, key)) in enumerate(segments.items()):
        identity = Identity(one.carrier, one.device, payloads.boots[place], seqs[place])
        if (unreadable := payloads.refused.get(place)) is not None:
            refusals.append(refused(one.message, unreadable.reason, unreadable.detail))
        elif not rows.good[place]:
            detail = "a column breaks a rule of its encoding"
            refusals.append(refused(one.message, Reason.MALFORMED, detail, identity))
        else:
            verified[turn] = _segment(one, identity, place, key)
    return VerifiedBatch([verified[turn] for turn in sorted(verified)], refusals, rows)


def _segment(parsed: Parsed, identity: Identity, place: int, key: DeviceKey) -> VerifiedSegment:
    message, statement = parsed.message, parsed.statement
    new = NewSegment(
        identity,
        statement.header.subject,
        parsed.digest,
        statement.raw,
        message.received_at,
        place,
    )
    return VerifiedSegment(message, new, key.bars(identity.boot, identity.seq))


def _read_gap(parsed: Parsed, key: DeviceKey) -> VerifiedGap:
    stated = gap.decode(parsed.statement.payload)
    identity = Identity(parsed.carrier, parsed.device, stated.boot, stated.seq)
    barred = key.bars(stated.boot, stated.seq)
    return VerifiedGap(parsed.message, identity, parsed.statement, parsed.digest, barred)


def _device(parsed: Parsed) -> Device:
    return parsed.carrier, parsed.device


def _key_of(statement: sign1.Statement, keys: Collection[DeviceKey]) -> DeviceKey:
    if not keys:
        raise StatementRefused(Reason.UNKNOWN_ISSUER, "no key of this device is admitted")
    named = [key for key in keys if key.public.kid == statement.header.kid]
    if not named:
        raise StatementRefused(Reason.UNKNOWN_KEY, "the device has no such key")
    # A kid is a hint of 8 bytes: of several keys that share it, the algorithm tells.
    return next((key for key in named if key.public.alg == statement.header.alg), named[0])


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
