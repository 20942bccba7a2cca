"""Evidence files: statements, the key records they rest on, one multi-proof, one checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.devices.repository import bindings_of_vehicle, device_keys
from exchange.orgs.repository import org_keys
from exchange.transparency.model import Published
from exchange.transparency.repository import node_reader, statements_of
from ledger.evidence.file import CommittedStatement, Form, make_evidence
from ledger.evidence.key_status import KeyStatus, sign_key_status
from schemas.cose.keys import Signer
from schemas.kinds import Kind
from schemas.names import org_issuer

_KEY_KINDS = (Kind.DEVICE_KEY, Kind.ORG_KEY)


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


@dataclass(frozen=True, slots=True)
class _Keys:
    """Leaves of the records that signatures rest on, and whether a key among them was revoked."""

    indices: tuple[int, ...]
    revoked: bool


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

    A file with a revoked key says nothing of its keys' standing: that no key was revoked is all
    that a key status can say.
    """
    keys = _keys(conn, issuer.organisation, devices)
    records = statements_of(conn, indices=keys.indices, below=checkpoint.size)
    by_index = {one.index: one for one in signed}
    by_index |= {one.index: CommittedStatement(one.index, one.kind, one.raw) for one in records}
    digests = [one.digest for one in records if one.kind in _KEY_KINDS]
    return make_evidence(
        form,
        list(by_index.values()),
        checkpoint.note,
        node_reader(conn, checkpoint.size),
        thresholds=thresholds,
        key_status=b"" if keys.revoked else _key_status(digests, checkpoint.size, issuer),
    )


def _keys(conn: Connection[Any], exchange: str, devices: Devices | None) -> _Keys:
    """Organisation keys, and the devices' keys and bindings."""
    orgs = org_keys(conn, [exchange] if devices is None else [exchange, devices.carrier])
    indices = {key.index for key in orgs}
    revoked = any(key.revoked_index is not None for key in orgs)
    if devices is None:
        return _Keys(tuple(sorted(indices)), revoked)
    pairs = [(devices.carrier, name) for name in devices.names]
    for keys in device_keys(conn, pairs).values():
        indices.update(key.index for key in keys)
        revoked |= any(key.revoked_index is not None for key in keys)
    for binding in bindings_of_vehicle(conn, devices.carrier, devices.vehicle):
        if binding.device in devices.names:
            indices.add(binding.index)
    return _Keys(tuple(sorted(indices)), revoked)


def _key_status(digests: Sequence[bytes], size: int, issuer: Issuer) -> bytes:
    return sign_key_status(
        KeyStatus(tuple(digests), size),
        issuer.signer,
        issuer=org_issuer(issuer.organisation),
        origin=issuer.origin,
    )
