"""Grants and revocations as the exchange accepts them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from exchange.devices.model import check_storable, signed_by
from exchange.errors import ExchangeRefusal
from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import Statement
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind
from schemas.statements import grant, revocation
from schemas.statements.grant import ANY_VEHICLE, Grant, Precision, Purpose
from schemas.statements.org_key import Role
from schemas.statements.revocation import Revocation

PURPOSES_OF_ROLE: dict[Role, tuple[Purpose, ...]] = {
    Role.CARRIER: (Purpose.FREIGHT, Purpose.SETTLEMENT),
    Role.INSURER: (Purpose.INSURANCE,),
    Role.FREIGHT: (Purpose.FREIGHT, Purpose.SETTLEMENT),
    Role.SETTLEMENT: (Purpose.FREIGHT, Purpose.SETTLEMENT),
    Role.BANK: (Purpose.FINANCE,),
    Role.REGULATOR: (Purpose.REGULATOR,),
    Role.OPERATOR: (),
}
"""What an organisation may use a grant for; checked when a grant is made and at every read."""

TRIP_FIELDS = (
    "start",
    "end",
    "distance",
    "duration",
    "speed",
    "stops",
    "gaps",
    "events",
    "findings",
)
"""Parts of a trip that a grant may name; what it does not name is null to its reader."""

State = Literal["active", "expired", "revoked"]


class GrantRefused(ExchangeRefusal):
    """A well-signed grant that can't be accepted as it stands."""


class GrantNotFound(ExchangeRefusal):
    """No grant of this id that the caller has a part in."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A committed grant. ``index`` is its leaf, ``digest`` its statement's."""

    index: int
    digest: bytes
    carrier: str
    grantee: str
    purpose: str
    legal_basis: str
    vehicles: list[str]
    fields: list[str] | None
    precision: int
    identity: bool
    window_from_ms: int
    window_to_ms: int | None
    expires_ms: int
    revoked_index: int | None
    revoked_ms: int | None

    def state(self, now_ms: int) -> State:
        """Whether it opens anything now."""
        if self.revoked_index is not None:
            return "revoked"
        return "expired" if self.expires_ms <= now_ms else "active"


def read_grant(
    raw: bytes, *, carrier: str, origin: str, carrier_keys: Sequence[PublicKey], now_ms: int
) -> tuple[Statement, Grant]:
    """A grant that this carrier signed; ``StatementRefused`` or ``GrantRefused`` otherwise."""
    statement = signed_by(raw, Kind.GRANT, carrier, origin, carrier_keys)
    granted = grant.decode(statement.payload)
    if statement.header.subject != granted.grantee:
        raise StatementRefused(Reason.MALFORMED, "the grant's subject is not its grantee")
    check_storable(granted.legal_basis, *granted.vehicles, *(granted.fields or ()))
    if ANY_VEHICLE in granted.vehicles and granted.vehicles != (ANY_VEHICLE,):
        raise GrantRefused("A grant names its vehicles or all of them with *, not both.")
    unknown = [name for name in granted.fields or () if name not in TRIP_FIELDS]
    if unknown:
        raise GrantRefused(
            f"No part of a trip is called {unknown[0]}: name any of {', '.join(TRIP_FIELDS)}."
        )
    if granted.expires_ms <= now_ms:
        raise GrantRefused("The grant has expired already: give it a later end.")
    if granted.window_to_ms is not None and granted.window_to_ms <= granted.window_from_ms:
        raise GrantRefused("The grant's window ends before it starts.")
    if granted.grantee == carrier:
        raise GrantRefused("A carrier reads its own data without a grant.")
    if granted.precision is Precision.H3_CELL:
        raise GrantRefused("Positions as cells are not served yet: grant exact or none.")
    return statement, granted


def check_purpose(granted: Grant, role: Role | None) -> None:
    """``GrantRefused`` unless the grantee is admitted with a role that fits the purpose."""
    if role is None:
        raise GrantRefused(
            f"No organisation {granted.grantee} is admitted here: check the name, or have the "
            "operator add it first."
        )
    if granted.purpose not in PURPOSES_OF_ROLE[role]:
        raise GrantRefused(
            f"{granted.grantee} has the role {role}, which does not use data for {granted.purpose}."
        )


def read_revocation(
    raw: bytes, row: GrantRow, *, origin: str, carrier_keys: Sequence[PublicKey]
) -> tuple[Statement, Revocation]:
    """The carrier's revocation of this very grant; ``StatementRefused`` otherwise."""
    statement = signed_by(raw, Kind.REVOCATION, row.carrier, origin, carrier_keys)
    revoked = revocation.decode(statement.payload)
    if revoked.target_kind is not Kind.GRANT or revoked.target_digest != row.digest:
        raise StatementRefused(Reason.MALFORMED, "the revocation is of something else")
    if statement.header.subject != row.grantee:
        raise StatementRefused(Reason.MALFORMED, "the revocation's subject is not the grantee")
    return statement, revoked
