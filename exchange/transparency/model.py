"""What the log's tables hold, in the words of DESIGN section 4."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ledger.leaf import statement_leaf_hash

CHECKPOINT_CHANNEL = "hp_checkpoint"
"""PostgreSQL channel; the payload is the size of the checkpoint that was just published."""


@dataclass(frozen=True, slots=True)
class LockedHead:
    """The tree's head as seen under its lock: nobody else assigns an index before the commit."""

    size: int
    root: bytes
    key_epoch: int
    awaited: int
    """Leaves that were put back after a restore, and whose records are not."""


class NewLeaf(NamedTuple):
    """A leaf to append; ``segment_id`` leads to the row of a segment, None for other kinds."""

    kind: int
    digest: bytes
    segment_id: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that anyone may be given: the signed note, and what it says."""

    note: bytes
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class LeafRow:
    """A leaf of the log: its place, and what its entry says."""

    index: int
    kind: int
    digest: bytes

    @property
    def hash(self) -> bytes:
        """Its leaf hash (RFC 9162)."""
        return statement_leaf_hash(self.kind, self.digest)


@dataclass(frozen=True, slots=True)
class CommittedStatement:
    """A statement of the log that is not a segment."""

    index: int
    kind: int
    digest: bytes
    issuer: str
    subject: str
    raw: bytes
    committed_at: datetime


class SignerPhase(StrEnum):
    """What the signer is doing."""

    SIGNING = "signing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SignerState:
    """What the signer last said of itself; ``detail`` tells the operator what to do."""

    phase: SignerPhase
    detail: str
    since: datetime


class LogDamaged(RuntimeError):
    """The log's tables contradict themselves: nothing may be signed or proved from them."""
