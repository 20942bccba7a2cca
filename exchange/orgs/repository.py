"""All SQL of organisations: their keys and the clients that act for them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.orgs.model import Caller
from schemas.kinds import Kind
from schemas.statements.org_key import Role


@dataclass(frozen=True, slots=True)
class OrgKeyRow:
    """One admitted key of an organisation; ``index`` is its record's leaf."""

    organisation: str
    cose_key: bytes
    thumbprint: bytes
    kid: bytes
    index: int
    revoked_index: int | None


def role_of(conn: Connection[Any], organisation: str) -> Role | None:
    """The organisation's role, or None when it is not admitted."""
    found = conn.execute("SELECT role FROM organisation WHERE name = %s", [organisation])
    row = found.fetchone()
    return None if row is None else Role(row[0])


def org_keys(conn: Connection[Any], organisations: Collection[str]) -> list[OrgKeyRow]:
    """Keys of the organisations, oldest first, revoked ones too."""
    with conn.cursor(row_factory=class_row(OrgKeyRow)) as cursor:
        cursor.execute(
            """
            SELECT organisation, cose_key, thumbprint, kid, index, revoked_index
            FROM org_key WHERE organisation = ANY(%s) ORDER BY index
            """,
            [list(organisations)],
        )
        return cursor.fetchall()


def owner_of_key(conn: Connection[Any], thumbprint: bytes) -> str | None:
    """The organisation that this key belongs to."""
    found = conn.execute("SELECT organisation FROM org_key WHERE thumbprint = %s", [thumbprint])
    row = found.fetchone()
    return None if row is None else str(row[0])


def insert_organisation(conn: Connection[Any], name: str, role: Role) -> None:
    """Insert an admitted organisation."""
    conn.execute("INSERT INTO organisation (name, role) VALUES (%s, %s)", [name, str(role)])


def insert_org_key(conn: Connection[Any], key: OrgKeyRow, created_ms: int) -> None:
    """Insert a committed key."""
    conn.execute(
        """
        INSERT INTO org_key (thumbprint, organisation, cose_key, kid, index, created_ms)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        [key.thumbprint, key.organisation, key.cose_key, key.kid, key.index, created_ms],
    )


def revoke_org_key(
    conn: Connection[Any], key: OrgKeyRow, record_digest: bytes, index: int, by: str, at_ms: int
) -> None:
    """Record the revocation of a key, committed at this leaf; the caller bumps the epoch."""
    conn.execute(
        """
        INSERT INTO revocation (index, carrier, target_kind, target_digest, at_ms)
        VALUES (%s, %s, %s, %s, %s)
        """,
        [index, by, int(Kind.ORG_KEY), record_digest, at_ms],
    )
    conn.execute(
        "UPDATE org_key SET revoked_index = %s WHERE thumbprint = %s", [index, key.thumbprint]
    )


def replace_clients(
    conn: Connection[Any], organisation: str, client_id: str, secret_hash: bytes
) -> None:
    """Make this the organisation's one client: what it had before no longer works."""
    conn.execute("DELETE FROM oauth_client WHERE organisation = %s", [organisation])
    conn.execute(
        "INSERT INTO oauth_client (client_id, organisation, secret_hash) VALUES (%s, %s, %s)",
        [client_id, organisation, secret_hash],
    )


def client_secret_hash(conn: Connection[Any], client_id: str) -> bytes | None:
    """SHA-256 (32 bytes) of the client's secret, or None for an unknown client."""
    found = conn.execute("SELECT secret_hash FROM oauth_client WHERE client_id = %s", [client_id])
    row = found.fetchone()
    return None if row is None else bytes(row[0])


def caller_of(conn: Connection[Any], client_id: str) -> Caller | None:
    """Whom the client acts for, or None when it no longer exists."""
    found = conn.execute(
        """
        SELECT o.name, o.role FROM oauth_client c JOIN organisation o ON o.name = c.organisation
        WHERE c.client_id = %s
        """,
        [client_id],
    )
    row = found.fetchone()
    return None if row is None else Caller(row[0], Role(row[1]), client_id)
