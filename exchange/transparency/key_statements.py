"""Which statements are published: those on keys, so that a monitor can refute a key's status.

All other statements are between their issuer and those who may read them; the log has their
digests.
"""

from typing import Any

from psycopg import Connection

from exchange.transparency.model import CommittedStatement
from exchange.transparency.repository import statements_of
from schemas.cose import sign1
from schemas.kinds import Kind
from schemas.statements import revocation

KEY_KINDS = (Kind.DEVICE_KEY, Kind.ORG_KEY)

_PUBLISHED = (*KEY_KINDS, Kind.REVOCATION)


def key_statement_at(conn: Connection[Any], index: int, below: int) -> bytes | None:
    """The key statement at a leaf of a tree of ``below`` leaves; None for every other leaf."""
    found = statements_of(conn, indices=[index], kinds=_PUBLISHED, below=below)
    return found[0].raw if found and _is_of_a_key(found[0]) else None


def _is_of_a_key(statement: CommittedStatement) -> bool:
    if statement.kind != Kind.REVOCATION:
        return True
    return revocation.decode(sign1.parse(statement.raw).payload).target_kind in KEY_KINDS
