"""Revocation of an organisation's keys: what they signed stands, and nothing comes after."""

from collections.abc import Callable
from typing import Any

from psycopg import Connection

from exchange.orgs import repository
from exchange.orgs.model import OrganisationNotFound, OrganisationRefused, revocation_statement
from exchange.orgs.repository import OrgKeyRow
from exchange.transparency.repository import (
    bump_key_epoch,
    commit_statement,
    digests_at,
    lock_head,
)
from schemas.cose.keys import Signer
from schemas.kinds import Kind
from schemas.limits import SALT_BYTES


def revoke_org_keys(
    conn: Connection[Any],
    organisation: str,
    thumbprint: bytes | None,
    signer: Signer,
    *,
    exchange: str,
    origin: str,
    at_ms: int,
    random: Callable[[int], bytes],
) -> list[OrgKeyRow]:
    """Take back one key of an organisation, or all that stand; its revoked keys, oldest first.

    In one transaction with record, leaf and epoch, which the caller commits. Raises
    ``OrganisationRefused`` for the exchange itself, whose key signs this, and
    ``OrganisationNotFound``.
    """
    if organisation == exchange:
        raise OrganisationRefused("The exchange's own key cannot be revoked by itself.")
    lock_head(conn)
    keys = repository.org_keys(conn, [organisation])
    named = [key for key in keys if thumbprint is None or key.thumbprint == thumbprint]
    if not named:
        raise OrganisationNotFound(f"{organisation} has no such key here: check name and key.")
    digests = digests_at(conn, [key.index for key in named])
    standing = [key for key in named if key.revoked_index is None]
    for key in standing:
        statement = revocation_statement(
            organisation,
            digests[key.index],
            signer,
            exchange=exchange,
            origin=origin,
            at_ms=at_ms,
            salt=random(SALT_BYTES),
        )
        index = commit_statement(conn, Kind.REVOCATION, statement)
        repository.revoke_org_key(conn, key, digests[key.index], index, exchange, at_ms)
    if standing:
        bump_key_epoch(conn)
    found = repository.org_keys(conn, [organisation])
    return [key for key in found if key.revoked_index is not None]
