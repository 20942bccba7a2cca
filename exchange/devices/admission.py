"""Admission of devices: key record, binding and password in one transaction the caller commits."""

import os
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.devices import repository
from exchange.devices.model import DeviceAdmission, DeviceConflict, KeyRecord, read_admission
from exchange.devices.password_file import SALT_BYTES, hashed
from exchange.devices.repository import BindingRow, DeviceKeyRow
from exchange.one_time_secrets import new_secret, secret_hash
from exchange.orgs.keys import standing_keys
from exchange.transparency.repository import bump_key_epoch, commit_statement, lock_head
from schemas.kinds import Kind


@dataclass(frozen=True, slots=True)
class AdmittedDevice:
    """A device as admitted, with its broker password, told this once."""

    device: str
    vehicle: str
    key_index: int
    binding_index: int
    mqtt_password: str


def admit_device(
    conn: Connection[Any], key_raw: bytes, binding_raw: bytes, *, carrier: str, origin: str
) -> AdmittedDevice:
    """Admit a device that its carrier signed for, and give it a broker password.

    The same device with the same key again gets a new password (a lost answer can be repaired) and
    only a binding that is new is committed. The carrier's keys are read under the head's lock, so
    that one which is being revoked admits nothing. Raises ``DeviceConflict`` or
    ``StatementRefused``.
    """
    lock_head(conn)
    keys = standing_keys(conn, carrier)
    admission = read_admission(
        key_raw, binding_raw, carrier=carrier, origin=origin, carrier_keys=keys
    )
    key = admission.record.key
    key_index = _known_key(conn, carrier, admission)
    password = new_secret()
    repository.save_device(
        conn,
        carrier=carrier,
        device=key.device,
        assurance=key.assurance,
        note=key.note,
        mqtt_secret_hash=secret_hash(password),
        mosquitto_hash=hashed(password, os.urandom(SALT_BYTES)),
    )
    if key_index is None:
        key_index = commit_key(conn, admission.record)
    binding_index = _bind(conn, carrier, admission)
    return AdmittedDevice(key.device, admission.binding.vehicle, key_index, binding_index, password)


def _known_key(conn: Connection[Any], carrier: str, admission: DeviceAdmission) -> int | None:
    device = admission.record.key.device
    known = standing_key(conn, admission.record)
    if known is not None:
        return known.index
    if repository.device_exists(conn, carrier, device):
        raise DeviceConflict(
            f"{device} is admitted with another key: rotate it, or enrol this one under another "
            "name."
        )
    return None


def standing_key(conn: Connection[Any], record: KeyRecord) -> DeviceKeyRow | None:
    """This very key as it is admitted for its device already; ``DeviceConflict`` if otherwise."""
    known = repository.key_by_thumbprint(conn, record.public.thumbprint)
    if known is None:
        return None
    if (known.carrier, known.device) != (record.key.carrier, record.key.device):
        raise DeviceConflict(
            "This public key belongs to another device: every device needs a key of its own."
        )
    if known.revoked_index is not None:
        raise DeviceConflict(
            "This key has been revoked: give the device a new one, with agent rotate --again."
        )
    if known.rotated_index is not None:
        raise DeviceConflict("This key was replaced: give the device its newest, or a new one.")
    return known


def commit_key(conn: Connection[Any], record: KeyRecord) -> int:
    """Commit a device key's record under the head's lock; returns its leaf's index."""
    index = commit_statement(conn, Kind.DEVICE_KEY, record.statement)
    bump_key_epoch(conn)
    public = record.public
    row = DeviceKeyRow(
        carrier=record.key.carrier,
        device=record.key.device,
        cose_key=public.cose_key,
        thumbprint=public.thumbprint,
        kid=public.kid,
        index=index,
        revoked_index=None,
    )
    repository.insert_device_key(conn, row, record.key.created_ms)
    return index


def _bind(conn: Connection[Any], carrier: str, admission: DeviceAdmission) -> int:
    wanted = admission.binding
    for known in repository.bindings_of_device(conn, carrier, wanted.device):
        same_span = (known.from_ms, known.to_ms) == (wanted.from_ms, wanted.to_ms)
        if known.vehicle == wanted.vehicle and same_span:
            return known.index
        if known.vehicle != wanted.vehicle and _overlap(known, wanted.from_ms, wanted.to_ms):
            raise DeviceConflict(
                f"{wanted.device} is bound to {known.vehicle} in that time: a device speaks for "
                "one vehicle at a time."
            )
    index = commit_statement(conn, Kind.BINDING, admission.binding_statement)
    bump_key_epoch(conn)
    row = BindingRow(index, carrier, wanted.device, wanted.vehicle, wanted.from_ms, wanted.to_ms)
    repository.insert_binding(conn, row)
    return index


def _overlap(known: BindingRow, from_ms: int, to_ms: int | None) -> bool:
    return (to_ms is None or known.from_ms < to_ms) and (
        known.to_ms is None or from_ms < known.to_ms
    )
