"""The device keys that a worker knows, as of one key epoch."""

from collections.abc import Collection
from typing import Any

from psycopg import Connection

from exchange.devices.repository import DeviceKeyRow, device_keys
from exchange.intake.verification import Device, DeviceKey
from exchange.transparency.repository import key_epoch
from schemas.cose.keys import PublicKey

_DEVICES_MAX = 100_000
_BOOTS_MAX = 500_000
"""Boots that the rotations of the keys known list, together: about 100 MB."""


def known_key(row: DeviceKeyRow) -> DeviceKey:
    """An admitted key, and what it may still say."""
    public = PublicKey.from_cose_key(row.cose_key)
    return DeviceKey(public, row.revoked_index is not None, row.rotation)


def keys_of(conn: Connection[Any], devices: Collection[Device]) -> dict[Device, list[DeviceKey]]:
    """The keys of these devices as the log has them now; an empty list where it has none."""
    found = device_keys(conn, devices)
    return {device: [known_key(row) for row in found.get(device, ())] for device in devices}


class KeyRing:
    """Keys of devices met so far; forgets them all when the epoch moves or they are too many."""

    def __init__(self) -> None:
        self.known: dict[Device, list[DeviceKey]] = {}
        self.epoch = -1
        self._boots = 0

    def learn(self, conn: Connection[Any], devices: Collection[Device]) -> int:
        """Make the keys of these devices known; returns the epoch that they are of.

        The epoch is read before the keys: what changes in between moves it, and the batch that
        sees another one under the head's lock looks at its devices' keys once more.
        """
        epoch = key_epoch(conn)
        full = len(self.known) > _DEVICES_MAX or self._boots > _BOOTS_MAX
        if epoch != self.epoch or full:
            self.known.clear()
            self.epoch, self._boots = epoch, 0
        met = keys_of(conn, {device for device in devices if device not in self.known})
        self._boots += sum(_boots(key) for keys in met.values() for key in keys)
        self.known |= met
        return epoch


def _boots(key: DeviceKey) -> int:
    return 0 if key.rotation is None else len(key.rotation.boots)
