"""Acceptance of grants and revocations: record and leaf in one transaction the caller commits."""

from typing import Any

from psycopg import Connection

from exchange.grants import repository
from exchange.grants.model import (
    GrantNotFound,
    GrantRow,
    check_purpose,
    read_grant,
    read_revocation,
)
from exchange.orgs.keys import standing_keys
from exchange.orgs.repository import role_of
from exchange.transparency.repository import commit_statement, lock_head
from schemas.kinds import Kind


def accept_grant(
    conn: Connection[Any], raw: bytes, *, carrier: str, origin: str, now_ms: int
) -> GrantRow:
    """Commit a grant that its carrier signed; ``GrantRefused`` or ``StatementRefused``."""
    lock_head(conn)
    keys = standing_keys(conn, carrier)
    statement, granted = read_grant(
        raw, carrier=carrier, origin=origin, carrier_keys=keys, now_ms=now_ms
    )
    check_purpose(granted, role_of(conn, granted.grantee))
    row = GrantRow(
        index=commit_statement(conn, Kind.GRANT, statement),
        digest=statement.digest,
        carrier=carrier,
        grantee=granted.grantee,
        purpose=str(granted.purpose),
        legal_basis=granted.legal_basis,
        vehicles=list(granted.vehicles),
        fields=None if granted.fields is None else list(granted.fields),
        precision=int(granted.precision),
        identity=granted.identity,
        window_from_ms=granted.window_from_ms,
        window_to_ms=granted.window_to_ms,
        expires_ms=granted.expires_ms,
        revoked_index=None,
        revoked_ms=None,
    )
    repository.insert_grant(conn, row)
    return repository.grant_by_digest(conn, statement.digest) or row


def accept_revocation(
    conn: Connection[Any], digest: bytes, raw: bytes, *, carrier: str, origin: str
) -> GrantRow:
    """Commit the end of a grant; one that has ended already is answered as it stands.

    Raises ``GrantNotFound`` when the caller gave no such grant, ``StatementRefused`` otherwise.
    """
    lock_head(conn)
    row = repository.grant_by_digest(conn, digest)
    if row is None or row.carrier != carrier:
        raise GrantNotFound("You have given no grant with this id: see the list of your grants.")
    statement, revoked = read_revocation(
        raw, row, origin=origin, carrier_keys=standing_keys(conn, carrier)
    )
    if row.revoked_index is None:
        index = commit_statement(conn, Kind.REVOCATION, statement)
        repository.revoke(conn, row, index, revoked)
    return repository.grant_by_digest(conn, digest) or row
