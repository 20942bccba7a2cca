"""What became of the keys of a file: replaced, revoked, and what a carrier released.

Statements are taken in the order of the log, so whatever is known here lies before the statement
that is being judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.evidence.reasons import Code
from schemas.cose import cbor
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.limits import BOOT_BYTES, SEQ_MAX
from schemas.statements.device_key import Rotation


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """The record of a key: whose it is, and who vouched for it."""

    kind: Kind
    holder: str
    """Issuer of what the key signs."""
    voucher: str
    """Issuer of the record, who alone may revoke the key."""
    subject: str
    thumbprint: bytes


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that was replaced or revoked, and the leaf that says so."""

    index: int
    holder: str
    revoked: bool


class Standing:
    """Which keys may say what."""

    def __init__(self) -> None:
        self.changes: list[KeyChange] = []
        self._records: dict[bytes, KeyRecord] = {}
        self._revoked: set[tuple[str, bytes]] = set()
        self._rotations: dict[tuple[str, bytes], list[Rotation]] = {}
        self._released: set[tuple[str, bytes]] = set()

    def enter(self, digest: bytes, record: KeyRecord) -> None:
        """A key's record, by its statement's digest."""
        self._records[digest] = record

    def record(self, digest: bytes, kind: Kind) -> KeyRecord | None:
        """The record of this digest and kind, when the file has it."""
        found = self._records.get(digest)
        return found if found is not None and found.kind is kind else None

    def replace(self, index: int, holder: str, rotation: Rotation) -> None:
        """The holder's key that a record replaced says only what is listed from now on."""
        self._rotations.setdefault((holder, rotation.replaces), []).append(rotation)
        self.changes.append(KeyChange(index, holder, revoked=False))

    def revoke(self, index: int, record: KeyRecord) -> None:
        """The key of this record says nothing more, but for what is released."""
        self._revoked.add((record.holder, record.thumbprint))
        self.changes.append(KeyChange(index, record.holder, revoked=True))

    def release(self, holder: str, digests: Iterable[bytes]) -> None:
        """The holder's carrier stands by these statements."""
        self._released.update((holder, digest) for digest in digests)

    def is_revoked(self, holder: str, thumbprint: bytes) -> bool:
        """Whether the holder's key was revoked."""
        return (holder, thumbprint) in self._revoked

    def bars(
        self, holder: str, thumbprint: bytes, kind: Kind, digest: bytes, payload: bytes
    ) -> Code | None:
        """Why a statement of this key does not count; None when it does."""
        if self.is_revoked(holder, thumbprint):
            return None if (holder, digest) in self._released else Code.REVOKED_KEY
        rotations = self._rotations.get((holder, thumbprint))
        if not rotations or kind not in (Kind.SEGMENT, Kind.GAP):
            return None
        name = _name_of(payload)
        if name is not None and all(rotation.lists(*name) for rotation in rotations):
            return None
        return Code.ROTATED_KEY


def _name_of(payload: bytes) -> tuple[bytes, int] | None:
    """Boot and seq of a segment or gap; None where they cannot be read."""
    try:
        fields = cbor.decode_exact(payload)
        if type(fields) is not dict:
            return None
        boot = cbor.take_bytes(fields.get(2), "boot", BOOT_BYTES)
        return boot, cbor.take_uint(fields.get(3), "seq", SEQ_MAX)
    except StatementRefused:
        return None
