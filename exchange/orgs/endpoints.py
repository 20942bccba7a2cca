"""/v1/orgs: the operator admits organisations and revokes their keys; each may see itself."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.api.auth import Authenticated
from exchange.api.bodies import Digest, Hex, Name
from exchange.api.context import Context
from exchange.api.idempotency import IdempotencyKey, Once
from exchange.orgs.admission import admit
from exchange.orgs.model import Admission
from exchange.orgs.repository import org_keys
from exchange.orgs.revocation import revoke_org_keys
from schemas.limits import SALT_BYTES
from schemas.names import NAME_PATTERN
from schemas.statements.org_key import Role

router = APIRouter(prefix="/v1", tags=["organisations"])


class OrganisationBody(BaseModel):
    """An organisation, its role, its public key and the proof that it holds the private one."""

    name: Name
    role: Literal["carrier", "freight", "settlement", "insurer", "bank", "regulator"]
    cose_key: Annotated[Hex, Field(description="Deterministic COSE_Key (RFC 9052), hexadecimal.")]
    proof: Annotated[Hex, Field(description="Signature by that key over possession_message.")]


class OrganisationAnswer(BaseModel):
    """The admitted organisation; ``client_secret`` is told this once."""

    name: str
    role: str
    index: int
    client_id: str
    client_secret: str


class RevocationBody(BaseModel):
    """Which key no longer signs: by its thumbprint, or every standing one of the organisation."""

    thumbprint: Digest | None = None


class RevokedKey(BaseModel):
    """A revoked key: its record's and its revocation's log index."""

    index: int
    revoked_index: int
    thumbprint: str


class RevocationAnswer(BaseModel):
    """All keys of an organisation that are revoked."""

    name: str
    revoked: list[RevokedKey]


class OwnKey(BaseModel):
    """An admitted key of the caller's organisation."""

    index: int
    cose_key: str


class OwnOrganisation(BaseModel):
    """Whom the caller's token acts for."""

    name: str
    role: str
    keys: list[OwnKey]


@router.get("/orgs/self", summary="The caller's organisation", response_model=OwnOrganisation)
def own_organisation(exchange: Context, caller: Authenticated) -> OwnOrganisation:
    """Its name, role and standing keys."""
    with exchange.connection() as conn:
        keys = org_keys(conn, [caller.organisation])
    standing = [key for key in keys if key.revoked_index is None]
    return OwnOrganisation(
        name=caller.organisation,
        role=str(caller.role),
        keys=[OwnKey(index=key.index, cose_key=key.cose_key.hex()) for key in standing],
    )


@router.post(
    "/orgs", status_code=201, summary="Admit an organisation", response_model=OrganisationAnswer
)
def admit_organisation(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    body: OrganisationBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Operator only. The same organisation, key and role again: a new secret, no new record."""
    caller.require((Role.OPERATOR,), "admit organisations")
    admission = Admission(
        body.name, Role(body.role), bytes.fromhex(body.cose_key), bytes.fromhex(body.proof)
    )

    def act(conn: Connection[Any]) -> OrganisationAnswer:
        admitted = admit(
            conn,
            admission,
            exchange.signer,
            exchange=exchange.organisation,
            origin=exchange.origin,
            created_ms=exchange.now_ms(),
            salt=exchange.random(SALT_BYTES),
        )
        return OrganisationAnswer(
            name=body.name,
            role=body.role,
            index=admitted.index,
            client_id=admitted.client_id,
            client_secret=admitted.client_secret,
        )

    return Once(caller, request.url.path, key, body).answer(exchange, act)


@router.post(
    "/orgs/{name}/revocation",
    status_code=201,
    summary="Revoke an organisation's key",
    response_model=RevocationAnswer,
)
def revoke(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    name: Annotated[str, Path(pattern=f"^{NAME_PATTERN}$", description="The organisation.")],
    body: RevocationBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Operator only: what the key signed before stands, and it signs nothing from now on."""
    caller.require((Role.OPERATOR,), "revoke the keys of organisations")
    thumbprint = None if body.thumbprint is None else bytes.fromhex(body.thumbprint)

    def act(conn: Connection[Any]) -> RevocationAnswer:
        rows = revoke_org_keys(
            conn,
            name,
            thumbprint,
            exchange.signer,
            exchange=exchange.organisation,
            origin=exchange.origin,
            at_ms=exchange.now_ms(),
            random=exchange.random,
        )
        revoked = [
            RevokedKey(index=row.index, revoked_index=at, thumbprint=row.thumbprint.hex())
            for row in rows
            if (at := row.revoked_index) is not None
        ]
        return RevocationAnswer(name=name, revoked=revoked)

    return Once(caller, request.url.path, key, body).answer(exchange, act)
