"""Admission of organisations: record, leaf and client in one transaction the caller commits."""

import secrets
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.one_time_secrets import new_secret, secret_hash
from exchange.orgs import repository
from exchange.orgs.model import (
    Admission,
    OrganisationConflict,
    admission_statement,
    own_statement,
)
from exchange.orgs.repository import OrgKeyRow
from exchange.transparency.repository import bump_key_epoch, commit_statement, lock_head
from schemas.cose.keys import PublicKey, Signer
from schemas.cose.sign1 import Statement
from schemas.kinds import Kind
from schemas.statements.org_key import Role

_CLIENT_ID_RANDOM_BYTES = 4


@dataclass(frozen=True, slots=True)
class Admitted:
    """An organisation as admitted, with the secret of its client, told this once."""

    index: int
    client_id: str
    client_secret: str


def admit_own(
    conn: Connection[Any],
    signer: Signer,
    *,
    exchange: str,
    origin: str,
    created_ms: int,
    salt: bytes,
) -> None:
    """Commit the exchange's own organisation record at the first start; nothing later.

    Raises ``OrganisationConflict`` when the log knows another key of the exchange.
    """
    lock_head(conn)
    keys = repository.org_keys(conn, [exchange])
    if any(key.thumbprint == signer.public.thumbprint for key in keys):
        return
    if keys:
        raise OrganisationConflict(
            "The log names another key of the exchange than secrets/exchange.key: restore the "
            "directory and the database that belong together."
        )
    statement = own_statement(
        signer, exchange=exchange, origin=origin, created_ms=created_ms, salt=salt
    )
    _insert(conn, exchange, Role.OPERATOR, signer.public, statement, created_ms)


def save_operator(conn: Connection[Any], exchange: str, client_id: str, client_secret: str) -> None:
    """Let the operator's client of the exchange's directory in."""
    repository.replace_clients(conn, exchange, client_id, secret_hash(client_secret))


def admit(
    conn: Connection[Any],
    admission: Admission,
    signer: Signer,
    *,
    exchange: str,
    origin: str,
    created_ms: int,
    salt: bytes,
) -> Admitted:
    """Admit an organisation and give it a client.

    The same organisation with the same key and role again only gets a new client, so that a lost
    answer can be repaired; the client it had no longer works. One whose keys are all revoked may
    have a new key. Raises ``OrganisationConflict``, ``OrganisationRefused`` or
    ``StatementRefused``.
    """
    statement = admission_statement(
        admission, signer, exchange=exchange, origin=origin, created_ms=created_ms, salt=salt
    )
    public = PublicKey.from_cose_key(admission.cose_key)
    lock_head(conn)
    index = _admitted_index(conn, admission, public)
    if index is None:
        index = _insert(conn, admission.name, admission.role, public, statement, created_ms)
    client_id = f"{admission.name}-{secrets.token_hex(_CLIENT_ID_RANDOM_BYTES)}"
    secret = new_secret()
    repository.replace_clients(conn, admission.name, client_id, secret_hash(secret))
    return Admitted(index, client_id, secret)


def _admitted_index(conn: Connection[Any], admission: Admission, public: PublicKey) -> int | None:
    owner = repository.owner_of_key(conn, public.thumbprint)
    if owner is not None and owner != admission.name:
        raise OrganisationConflict("This key belongs to another organisation: make a new one.")
    role = repository.role_of(conn, admission.name)
    if role is None:
        return None
    if role is not admission.role:
        raise OrganisationConflict(f"{admission.name} is admitted already, as {role}.")
    keys = repository.org_keys(conn, [admission.name])
    for key in keys:
        if key.thumbprint == public.thumbprint:
            if key.revoked_index is not None:
                raise OrganisationConflict("This key has been revoked: make a new one.")
            return key.index
    if all(key.revoked_index is not None for key in keys):
        return None
    raise OrganisationConflict(
        f"{admission.name} is admitted already, with another key: revoke that one first."
    )


def _insert(
    conn: Connection[Any],
    name: str,
    role: Role,
    public: PublicKey,
    statement: Statement,
    created_ms: int,
) -> int:
    index = commit_statement(conn, Kind.ORG_KEY, statement)
    bump_key_epoch(conn)
    if repository.role_of(conn, name) is None:
        repository.insert_organisation(conn, name, role)
    row = OrgKeyRow(name, public.cose_key, public.thumbprint, public.kid, index, None)
    repository.insert_org_key(conn, row, created_ms)
    return index
