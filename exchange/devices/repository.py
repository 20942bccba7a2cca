"""All SQL of devices: their keys, bindings and broker passwords."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import class_row

from schemas.statements.device_key import Rotation
from schemas.statements.revocation import Revocation

KeyState = Literal["standing", "replaced", "revoked"]


@dataclass(frozen=True, slots=True)
class DeviceKeyRow:
    """One admitted key of a device; ``index`` is its record's leaf.

    ``rotated_index`` is the record's leaf that replaced it; boots and seqs are what that one lists.
    """

    carrier: str
    device: str
    cose_key: bytes
    thumbprint: bytes
    kid: bytes
    index: int
    revoked_index: int | None
    rotated_index: int | None = None
    rotated_boots: list[bytes] | None = None
    rotated_seqs: list[int] | None = None

    @property
    def state(self) -> KeyState:
        """What the key may still do; a revocation outweighs a rotation."""
        if self.revoked_index is not None:
            return "revoked"
        return "standing" if self.rotated_index is None else "replaced"

    @property
    def rotation(self) -> Rotation | None:
        """What may still come of a key that was replaced; None for one that was not."""
        if self.rotated_index is None:
            return None
        boots = zip(self.rotated_boots or (), self.rotated_seqs or (), strict=True)
        return Rotation(self.thumbprint, {bytes(boot): last for boot, last in boots})


_KEY_COLUMNS = sql.SQL(
    "k.carrier, k.device, k.cose_key, k.thumbprint, k.kid, k.index, k.revoked_index, "
    "k.rotated_index, k.rotated_boots, k.rotated_seqs"
)


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A device speaks for a vehicle from ``from_ms`` until before ``to_ms`` (None: still)."""

    index: int
    carrier: str
    device: str
    vehicle: str
    from_ms: int
    to_ms: int | None


def device_keys(
    conn: Connection[Any], pairs: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[DeviceKeyRow]]:
    """Keys of the (carrier, device) pairs, oldest first, revoked ones too; no key, no entry."""
    found: defaultdict[tuple[str, str], list[DeviceKeyRow]] = defaultdict(list)
    if not pairs:
        return {}
    carriers, devices = zip(*pairs, strict=True)
    with conn.cursor(row_factory=class_row(DeviceKeyRow)) as cursor:
        query = sql.SQL(
            """
            SELECT {} FROM device_key k
            JOIN unnest(%s::text[], %s::text[]) AS wanted(carrier, device)
              ON k.carrier = wanted.carrier AND k.device = wanted.device
            ORDER BY k.index
            """
        )
        cursor.execute(query.format(_KEY_COLUMNS), [list(carriers), list(devices)])
        for row in cursor:
            found[row.carrier, row.device].append(row)
    return dict(found)


def key_count(conn: Connection[Any], carrier: str, device: str) -> int:
    """How many keys the device has had, whatever became of them."""
    found = conn.execute(
        "SELECT count(*) FROM device_key WHERE carrier = %s AND device = %s", [carrier, device]
    ).fetchone()
    return 0 if found is None else int(found[0])


def key_by_thumbprint(conn: Connection[Any], thumbprint: bytes) -> DeviceKeyRow | None:
    """The record of this very key, whosever it is."""
    with conn.cursor(row_factory=class_row(DeviceKeyRow)) as cursor:
        query = sql.SQL("SELECT {} FROM device_key k WHERE k.thumbprint = %s")
        cursor.execute(query.format(_KEY_COLUMNS), [thumbprint])
        return cursor.fetchone()


def device_exists(conn: Connection[Any], carrier: str, device: str) -> bool:
    """Whether the carrier has a device of this name."""
    found = conn.execute(
        "SELECT 1 FROM device WHERE carrier = %s AND device = %s", [carrier, device]
    )
    return found.fetchone() is not None


def assurance_of(conn: Connection[Any], carrier: str, device: str) -> int | None:
    """The assurance level that the device was admitted with, or None for an unknown device."""
    found = conn.execute(
        "SELECT assurance FROM device WHERE carrier = %s AND device = %s", [carrier, device]
    ).fetchone()
    return None if found is None else int(found[0])


def mqtt_secret_hash(conn: Connection[Any], carrier: str, device: str) -> bytes | None:
    """SHA-256 (32 bytes) of the device's broker password, or None for an unknown device."""
    found = conn.execute(
        "SELECT mqtt_secret_hash FROM device WHERE carrier = %s AND device = %s",
        [carrier, device],
    ).fetchone()
    return None if found is None else bytes(found[0])


def save_device(
    conn: Connection[Any],
    *,
    carrier: str,
    device: str,
    assurance: int,
    note: str,
    mqtt_secret_hash: bytes,
    mosquitto_hash: str = "",
) -> None:
    """Insert the device, or give a known one a new broker password."""
    conn.execute(
        """
        INSERT INTO device (carrier, device, assurance, note, mqtt_secret_hash, mosquitto_hash)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (carrier, device) DO UPDATE
        SET mqtt_secret_hash = excluded.mqtt_secret_hash, mosquitto_hash = excluded.mosquitto_hash
        """,
        [carrier, device, assurance, note, mqtt_secret_hash, mosquitto_hash],
    )


def mosquitto_hashes(conn: Connection[Any]) -> dict[str, str]:
    """What Mosquitto's password file holds for each device, by user name ``carrier/device``."""
    rows = conn.execute(
        """
        SELECT carrier || '/' || device, mosquitto_hash FROM device
        WHERE mosquitto_hash <> '' ORDER BY carrier, device
        """
    )
    return dict(rows.fetchall())


def insert_device_key(conn: Connection[Any], key: DeviceKeyRow, created_ms: int) -> None:
    """Insert a key; ``psycopg.errors.UniqueViolation`` when any device ever had it."""
    conn.execute(
        """
        INSERT INTO device_key (thumbprint, carrier, device, cose_key, kid, index, created_ms)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        [key.thumbprint, key.carrier, key.device, key.cose_key, key.kid, key.index, created_ms],
    )


def rotate_key(conn: Connection[Any], rotation: Rotation, index: int) -> None:
    """Say that the record at this leaf replaced a key; the caller bumps the epoch."""
    conn.execute(
        """
        UPDATE device_key SET rotated_index = %s, rotated_boots = %s, rotated_seqs = %s
        WHERE thumbprint = %s
        """,
        [index, list(rotation.boots), list(rotation.boots.values()), rotation.replaces],
    )


def revoke_key(
    conn: Connection[Any], key: DeviceKeyRow, index: int, revocation: Revocation
) -> None:
    """Record the revocation of a key, committed at this leaf; the caller bumps the epoch."""
    conn.execute(
        """
        INSERT INTO revocation (index, carrier, target_kind, target_digest, at_ms)
        VALUES (%s, %s, %s, %s, %s)
        """,
        [
            index,
            key.carrier,
            int(revocation.target_kind),
            revocation.target_digest,
            revocation.at_ms,
        ],
    )
    conn.execute(
        "UPDATE device_key SET revoked_index = %s WHERE thumbprint = %s", [index, key.thumbprint]
    )


def insert_binding(conn: Connection[Any], binding: BindingRow) -> None:
    """Insert a committed binding."""
    conn.execute(
        """
        INSERT INTO binding (index, carrier, device, vehicle, from_ms, to_ms)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        [
            binding.index,
            binding.carrier,
            binding.device,
            binding.vehicle,
            binding.from_ms,
            binding.to_ms,
        ],
    )


def bindings_of_device(conn: Connection[Any], carrier: str, device: str) -> list[BindingRow]:
    """The device's bindings, oldest record first."""
    return _bindings(conn, "device", carrier, device)


def bindings_of_vehicle(conn: Connection[Any], carrier: str, vehicle: str) -> list[BindingRow]:
    """The vehicle's bindings, oldest record first."""
    return _bindings(conn, "vehicle", carrier, vehicle)


_BINDINGS = {
    "device": """
        SELECT index, carrier, device, vehicle, from_ms, to_ms FROM binding
        WHERE carrier = %s AND device = %s ORDER BY index
        """,
    "vehicle": """
        SELECT index, carrier, device, vehicle, from_ms, to_ms FROM binding
        WHERE carrier = %s AND vehicle = %s ORDER BY index
        """,
}


def _bindings(conn: Connection[Any], of: str, carrier: str, name: str) -> list[BindingRow]:
    with conn.cursor(row_factory=class_row(BindingRow)) as cursor:
        cursor.execute(_BINDINGS[of], [carrier, name])
        return cursor.fetchall()
