"""What intake says of a message, from the broker's bytes to its end. Pure."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from exchange.segments.model import Identity, NewSegment
from schemas.cose.sign1 import Statement
from schemas.errors import Reason
from schemas.names import is_name

PASSING_REASONS = frozenset(
    {Reason.UNKNOWN_ISSUER, Reason.UNKNOWN_KEY, Reason.REVOKED_KEY, Reason.OVER_QUOTA}
)
"""Refused for now: a key may be admitted later, a carrier may release what a revoked key signed, a
device may send within its quota."""


class Outcome(StrEnum):
    """What became of a message; the label of the counter."""

    COMMITTED = "committed"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    LET_GO = "let-go"
    """Over quota: neither judged nor kept, its device sends it again."""


class Message(NamedTuple):
    """What a device published: ``topic`` as MQTT writes it; ``token`` is the broker's own."""

    topic: str
    payload: bytes
    received_at: datetime
    token: object = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is kept aside; ``identity`` is None where it could not be believed."""

    message: Message
    carrier: str
    device: str
    reason: Reason
    detail: str
    identity: Identity | None = None
    passing: bool = False
    """It is not the message's fault: the same bytes may be taken later."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the message's bytes, by which the agent knows it."""
        return hashlib.sha256(self.message.payload).digest()

    @property
    def answerable(self) -> bool:
        """Whether there is a device that can be told."""
        return is_name(self.carrier) and is_name(self.device)

    @property
    def permanent(self) -> bool:
        """Whether the same bytes will never be taken."""
        return not self.passing and self.reason not in PASSING_REASONS


class Parsed(NamedTuple):
    """A statement whose outer form, topic, kind and origin are right; nothing verified yet."""

    message: Message
    carrier: str
    device: str
    statement: Statement
    digest: bytes


class VerifiedSegment(NamedTuple):
    """Signature and every rule of form checked; its columns lie among those of the batch."""

    message: Message
    new: NewSegment
    barred: Reason | None = None
    """Why nothing new is taken of its key; what the log holds already is still acknowledged."""

    @property
    def identity(self) -> Identity:
        """What names it for ever."""
        return self.new.identity

    @property
    def digest(self) -> bytes:
        """SHA-256 of the statement."""
        return self.new.digest


class VerifiedGap(NamedTuple):
    """A signed gap, signature and form checked."""

    message: Message
    identity: Identity
    statement: Statement
    digest: bytes
    barred: Reason | None = None


Verified = VerifiedSegment | VerifiedGap


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement of a device at its place in the log: what a receipt says."""

    identity: Identity
    index: int


@dataclass(slots=True)
class BatchResult:
    """What became of a batch whose transaction has ended."""

    committed: list[Placed] = field(default_factory=list)
    duplicates: list[Placed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
