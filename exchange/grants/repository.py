"""All SQL of grants and their revocations."""

from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.grants.model import GrantRow
from schemas.statements.revocation import Revocation

_COLUMNS = sql.SQL(
    "index, digest, carrier, grantee, purpose, legal_basis, vehicles, fields, precision, identity, "
    "window_from_ms, window_to_ms, expires_ms, revoked_index, revoked_ms"
)


def insert_grant(conn: Connection[Any], row: GrantRow) -> None:
    """Insert a committed grant."""
    conn.execute(
        """
        INSERT INTO grant_record
          (index, digest, carrier, grantee, purpose, legal_basis, vehicles, fields, precision,
           identity, window_from_ms, window_to_ms, expires_ms)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (digest) DO NOTHING
        """,
        [
            row.index,
            row.digest,
            row.carrier,
            row.grantee,
            row.purpose,
            row.legal_basis,
            row.vehicles,
            row.fields,
            row.precision,
            row.identity,
            row.window_from_ms,
            row.window_to_ms,
            row.expires_ms,
        ],
    )


def grant_by_digest(conn: Connection[Any], digest: bytes) -> GrantRow | None:
    """The grant whose statement has this digest, locked until the transaction ends."""
    query = sql.SQL("SELECT {columns} FROM grant_record WHERE digest = %s FOR UPDATE")
    with conn.cursor(row_factory=class_row(GrantRow)) as cursor:
        cursor.execute(query.format(columns=_COLUMNS), [digest])
        return cursor.fetchone()


def grants_of(
    conn: Connection[Any], organisation: str, from_index: int, limit: int
) -> list[GrantRow]:
    """Grants that the organisation gave or received, by ascending index from ``from_index`` on."""
    query = sql.SQL(
        """
        SELECT {columns} FROM grant_record
        WHERE (carrier = %(organisation)s OR grantee = %(organisation)s) AND index >= %(from)s
        ORDER BY index LIMIT %(limit)s
        """
    )
    with conn.cursor(row_factory=class_row(GrantRow)) as cursor:
        cursor.execute(
            query.format(columns=_COLUMNS),
            {"organisation": organisation, "from": from_index, "limit": limit},
        )
        return cursor.fetchall()


def revoke(conn: Connection[Any], row: GrantRow, index: int, revocation: Revocation) -> None:
    """Record the revocation of a grant; it no longer opens anything once this is committed."""
    conn.execute(
        """
        INSERT INTO revocation (index, carrier, target_kind, target_digest, at_ms)
        VALUES (%s, %s, %s, %s, %s)
        """,
        [
            index,
            row.carrier,
            int(revocation.target_kind),
            revocation.target_digest,
            revocation.at_ms,
        ],
    )
    conn.execute(
        "UPDATE grant_record SET revoked_index = %s, revoked_ms = %s WHERE index = %s",
        [index, revocation.at_ms, row.index],
    )
