"""Keys with which an organisation may sign now."""

from typing import Any

from psycopg import Connection

from exchange.orgs.repository import org_keys
from schemas.cose.keys import PublicKey


def standing_keys(conn: Connection[Any], organisation: str) -> list[PublicKey]:
    """The organisation's admitted keys that are not revoked, oldest first."""
    return [
        PublicKey.from_cose_key(row.cose_key)
        for row in org_keys(conn, [organisation])
        if row.revoked_index is None
    ]
