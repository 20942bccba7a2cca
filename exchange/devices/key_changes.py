"""Rotation and revocation of device keys: record, leaf and epoch in the caller's transaction.

The head's lock is taken before any key is read: a batch of intake that was judged by the keys
before is either in the log already, or judged again.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.devices import repository
from exchange.devices.admission import commit_key, standing_key
from exchange.devices.model import (
    DeviceConflict,
    DeviceNotFound,
    KeyRecord,
    read_key_record,
    read_key_revocation,
)
from exchange.devices.repository import DeviceKeyRow
from exchange.orgs.keys import standing_keys
from exchange.transparency.repository import (
    bump_key_epoch,
    commit_statement,
    indices_of,
    lock_head,
)
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind
from schemas.limits import DEVICE_KEYS_MAX
from schemas.statements.device_key import Rotation


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """A device's new key and the one that it replaced, by their records' leaves."""

    index: int
    replaced_index: int


def rotate_key(
    conn: Connection[Any], raw: bytes, *, carrier: str, device: str, origin: str
) -> RotatedKey:
    """Replace a device's newest key by the one in a record that its carrier signed.

    The old key stays good for what the record lists, unless it was revoked. The same key again is
    answered as it stands. Raises ``DeviceConflict``, ``DeviceNotFound`` or ``StatementRefused``.
    """
    lock_head(conn)
    keys = standing_keys(conn, carrier)
    record = read_key_record(raw, carrier=carrier, origin=origin, carrier_keys=keys)
    rotation = record.key.rotation
    if rotation is None or record.key.device != device:
        raise StatementRefused(Reason.MALFORMED, "the record replaces no key of this device")
    old = _replaced_key(conn, record, rotation)
    new = standing_key(conn, record)
    if new is not None:
        if old.rotated_index != new.index:
            raise DeviceConflict("This key is the device's already, and replaced another one.")
        return RotatedKey(new.index, old.index)
    if old.rotated_index is not None:
        raise DeviceConflict("That key was replaced already: rotate the device's newest one.")
    if record.key.assurance != repository.assurance_of(conn, carrier, device):
        raise DeviceConflict(
            f"A new key leaves {device}'s assurance level as it is: sign the record with the level "
            "that the device was admitted with."
        )
    if repository.key_count(conn, carrier, device) >= DEVICE_KEYS_MAX:
        raise DeviceConflict(
            f"{device} has had {DEVICE_KEYS_MAX} keys, as many as a device may: enrol it under "
            "another name."
        )
    index = commit_key(conn, record)
    repository.rotate_key(conn, rotation, index)
    return RotatedKey(index, old.index)


def revoke_key(
    conn: Connection[Any], raw: bytes, *, carrier: str, device: str, origin: str
) -> DeviceKeyRow:
    """Take a device's key back; one that was revoked already is answered as it stands.

    Raises ``DeviceNotFound`` or ``StatementRefused``.
    """
    lock_head(conn)
    keys = standing_keys(conn, carrier)
    statement, revoked = read_key_revocation(
        raw, carrier=carrier, device=device, origin=origin, carrier_keys=keys
    )
    index = indices_of(conn, [revoked.target_digest]).get(revoked.target_digest)
    found = repository.device_keys(conn, [(carrier, device)]).get((carrier, device), [])
    key = next((key for key in found if key.index == index), None)
    if key is None:
        raise DeviceNotFound(f"{device} has no such key: see the list of its keys.")
    if key.revoked_index is None:
        at = commit_statement(conn, Kind.REVOCATION, statement)
        repository.revoke_key(conn, key, at, revoked)
        bump_key_epoch(conn)
    return repository.key_by_thumbprint(conn, key.thumbprint) or key


def _replaced_key(conn: Connection[Any], record: KeyRecord, rotation: Rotation) -> DeviceKeyRow:
    owner = record.key.carrier, record.key.device
    old = repository.key_by_thumbprint(conn, rotation.replaces)
    if old is None or (old.carrier, old.device) != owner:
        raise DeviceNotFound(f"{record.key.device} has no such key to replace.")
    return old
