"""Evidence files: statements, the key records they rest on, one multi-proof, one checkpoint."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.devices.repository import bindings_of_vehicle, device_keys
from exchange.orgs.repository import org_keys
from exchange.transparency.model import Published
from exchange.transparency.repository import node_reader, statements_of
from ledger.evidence.file import CommittedStatement, Form, make_evidence


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of one carrier whose statements a file holds, and the vehicle they speak for."""

    carrier: str
    vehicle: str
    names: frozenset[str]


def assemble(
    conn: Connection[Any],
    form: Form,
    signed: Iterable[CommittedStatement],
    checkpoint: Published,
    *,
    exchange: str,
    devices: Devices | None = None,
    thresholds: bytes = b"",
) -> bytes:
    """The file with these statements and every key record that their signatures rest on."""
    by_index = {one.index: one for one in signed}
    for record in statements_of(
        conn,
        indices=_key_indices(conn, exchange, devices),
        below=checkpoint.size,
    ):
        by_index[record.index] = CommittedStatement(record.index, record.kind, record.raw)
    return make_evidence(
        form,
        list(by_index.values()),
        checkpoint.note,
        node_reader(conn, checkpoint.size),
        thresholds=thresholds,
    )


def _key_indices(conn: Connection[Any], exchange: str, devices: Devices | None) -> list[int]:
    """Leaves of organisation keys, and of the devices' keys and bindings."""
    if devices is None:
        return [key.index for key in org_keys(conn, [exchange])]
    found = {key.index for key in org_keys(conn, [exchange, devices.carrier])}
    pairs = [(devices.carrier, name) for name in devices.names]
    for keys in device_keys(conn, pairs).values():
        found.update(key.index for key in keys)
    for binding in bindings_of_vehicle(conn, devices.carrier, devices.vehicle):
        if binding.device in devices.names:
            found.add(binding.index)
    return sorted(found)
