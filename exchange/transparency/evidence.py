"""Evidence files: statements, the key records they rest on, one multi-proof, one checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from psycopg import Connection

from exchange.devices.repository import DeviceKeyRow, bindings_of_vehicle, device_keys
from exchange.orgs.repository import OrgKeyRow, org_keys
from exchange.transparency.model import CommittedStatement as LogStatement
from exchange.transparency.model import Published
from exchange.transparency.repository import node_reader, statements_of
from exchange.witnesses.repository import newest_final
from ledger.evidence.file import CommittedStatement, Form, make_evidence
from ledger.evidence.key_status import STATUS_KINDS, KeyStatus, sign_key_status
from schemas.cose import sign1
from schemas.cose.keys import Signer
from schemas.kinds import Kind
from schemas.names import org_issuer
from schemas.statements import release


@dataclass(frozen=True, slots=True)
class Issuer:
    """The exchange as it vouches for the keys in a file."""

    organisation: str
    origin: str
    signer: Signer


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
    issuer: Issuer,
    *,
    devices: Devices | None = None,
    thresholds: bytes = b"",
) -> bytes:
    """The file with these statements and every key record that their signatures rest on.

    Whatever a checkpoint covers of the keys goes in: the records that replaced them, what revoked
    them, and what their carrier released of a revoked one.
    The newest final checkpoint is put into it when that covers all of them, else ``checkpoint``.
    It is read once and first: a round of witnesses that ends meanwhile may make a newer one final,
    and the key status must be about no smaller a tree than the file's.
    """
    final = newest_final(conn)
    size = checkpoint.size if final is None else max(final.size, checkpoint.size)
    by_index = {one.index: one for one in signed}
    indices = _key_records(conn, issuer.organisation, devices)
    records = statements_of(conn, indices=indices, below=size)
    if devices is not None and any(one.kind == Kind.REVOCATION for one in records):
        records += _releases(conn, devices, list(by_index.values()), size)
    by_index |= {one.index: CommittedStatement(one.index, one.kind, one.raw) for one in records}
    digests = [one.digest for one in records if one.kind in STATUS_KINDS]
    under = checkpoint if final is None or final.size <= max(by_index) else final
    return make_evidence(
        form,
        list(by_index.values()),
        under.note,
        node_reader(conn, under.size),
        thresholds=thresholds,
        key_status=_key_status(digests, size, issuer),
    )


def _key_records(conn: Connection[Any], exchange: str, devices: Devices | None) -> list[int]:
    """Leaves of organisations' and devices' keys, of their revocations, and of bindings."""
    orgs = org_keys(conn, [exchange] if devices is None else [exchange, devices.carrier])
    keys: list[OrgKeyRow | DeviceKeyRow] = list(orgs)
    indices: set[int] = set()
    if devices is not None:
        pairs = [(devices.carrier, name) for name in devices.names]
        keys += [key for of_one in device_keys(conn, pairs).values() for key in of_one]
        for binding in bindings_of_vehicle(conn, devices.carrier, devices.vehicle):
            if binding.device in devices.names:
                indices.add(binding.index)
    indices.update(key.index for key in keys)
    indices.update(key.revoked_index for key in keys if key.revoked_index is not None)
    return sorted(indices)


def _releases(
    conn: Connection[Any], devices: Devices, signed: Sequence[CommittedStatement], below: int
) -> list[LogStatement]:
    """Releases by which one of these statements came into the log."""
    digests = {sha256(one.raw).digest() for one in signed}
    return [
        found
        for name in sorted(devices.names)
        for found in statements_of(
            conn,
            kinds=[Kind.DECLARATION],
            subject=name,
            issuer=org_issuer(devices.carrier),
            below=below,
        )
        if not digests.isdisjoint(_released(found))
    ]


def _released(statement: LogStatement) -> tuple[bytes, ...]:
    return release.decode(sign1.parse(statement.raw).payload).digests


def _key_status(digests: Sequence[bytes], size: int, issuer: Issuer) -> bytes:
    return sign_key_status(
        KeyStatus(tuple(digests), size),
        issuer.signer,
        issuer=org_issuer(issuer.organisation),
        origin=issuer.origin,
    )
