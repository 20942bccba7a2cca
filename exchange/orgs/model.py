"""Organisations and their admission. Pure: keys, time and salt are passed in."""

from collections.abc import Collection
from dataclasses import dataclass

from exchange.errors import ExchangeRefusal
from schemas.cose.keys import Signer
from schemas.cose.sign1 import Statement, parse, sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import org_issuer
from schemas.statements.org_key import OrgKey, Role, decode, possession_message
from schemas.statements.revocation import Revocation


class OrganisationRefused(ExchangeRefusal):
    """An organisation that can't be admitted as asked."""


class OrganisationConflict(ExchangeRefusal):
    """The name or the key is taken, with another key, role or organisation."""


class OrganisationNotFound(ExchangeRefusal):
    """No such organisation, or no such key of it."""


class WrongRole(ExchangeRefusal):
    """The caller's organisation has a role that may not do this."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client and the organisation that it acts for."""

    organisation: str
    role: Role
    client_id: str

    def require(self, roles: Collection[Role], what: str) -> None:
        """Raise ``WrongRole`` unless the caller has one of the roles; ``what`` completes "may"."""
        if self.role not in roles:
            allowed = " or ".join(sorted(roles))
            raise WrongRole(f"Only an organisation with the role {allowed} may {what}.")


@dataclass(frozen=True, slots=True)
class Admission:
    """What the operator asks for: an organisation and a key that it has proved to hold."""

    name: str
    role: Role
    cose_key: bytes
    proof: bytes


def admission_statement(
    admission: Admission,
    signer: Signer,
    *,
    exchange: str,
    origin: str,
    created_ms: int,
    salt: bytes,
) -> Statement:
    """The exchange's signed record of an organisation's key.

    Raises ``StatementRefused`` for a malformed name or key or a proof that does not hold, and
    ``OrganisationRefused`` for a name or role that is the exchange's own.
    """
    if admission.name == exchange or admission.role is Role.OPERATOR:
        raise OrganisationRefused(
            f"The name {exchange} and the role operator are the exchange's own: use others."
        )
    return _signed(admission, signer, exchange, origin, created_ms, salt)


def own_statement(
    signer: Signer, *, exchange: str, origin: str, created_ms: int, salt: bytes
) -> Statement:
    """The exchange's record of its own key: role operator, signed by that key."""
    cose_key = signer.public.cose_key
    proof = signer.sign(possession_message(cose_key))
    own = Admission(exchange, Role.OPERATOR, cose_key, proof)
    return _signed(own, signer, exchange, origin, created_ms, salt)


def revocation_statement(
    organisation: str,
    record_digest: bytes,
    signer: Signer,
    *,
    exchange: str,
    origin: str,
    at_ms: int,
    salt: bytes,
) -> Statement:
    """The exchange takes back an organisation's key, whose record has this digest."""
    revocation = Revocation(Kind.ORG_KEY, record_digest, at_ms, salt)
    return parse(
        sign(
            signer,
            issuer=org_issuer(exchange),
            subject=organisation,
            origin=origin,
            type_text=TYPE_TEXT[Kind.REVOCATION],
            payload=revocation.encode(),
        )
    )


def _signed(
    admission: Admission,
    signer: Signer,
    exchange: str,
    origin: str,
    created_ms: int,
    salt: bytes,
) -> Statement:
    record = OrgKey(
        name=admission.name,
        role=admission.role,
        cose_key=admission.cose_key,
        proof=admission.proof,
        created_ms=created_ms,
        salt=salt,
    )
    payload = record.encode()
    decode(payload)
    return parse(
        sign(
            signer,
            issuer=org_issuer(exchange),
            subject=admission.name,
            origin=origin,
            type_text=TYPE_TEXT[Kind.ORG_KEY],
            payload=payload,
        )
    )
