"""``haulproof grant``: a carrier's grants, signed on the carrier's machine."""

import os
import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from exchange.commands.credentials import read_credentials
from exchange.commands.files import read_signer
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile, KeyFile, time_ms
from exchange.commands.printing import print_object, print_table
from exchange.exits import WrongUsage
from exchange.grants.model import TRIP_FIELDS
from exchange.signed_text import statement_text
from schemas.cose.sign1 import sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import org_issuer
from schemas.statements.grant import Grant, Precision, Purpose
from schemas.statements.revocation import Revocation

app = typer.Typer(help="Who may read what.", no_args_is_help=True)

_ID_CHARS = 64
_ID_CHARS_MIN = 8


class PrecisionWord(StrEnum):
    """How exact positions may be."""

    NONE = "none"
    CELL = "cell"
    EXACT = "exact"


_PRECISION = {
    PrecisionWord.NONE: Precision.NONE,
    PrecisionWord.CELL: Precision.H3_CELL,
    PrecisionWord.EXACT: Precision.EXACT,
}


@app.command("add")
def add(
    to: Annotated[str, typer.Option("--to", metavar="ORG", help="Who may read.")],
    purpose: Annotated[Purpose, typer.Option("--purpose", help="What for.")],
    vehicle: Annotated[
        list[str], typer.Option("--vehicle", help="Which vehicle; again for more; '*' for all.")
    ],
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="When it ends.")],
    key: KeyFile,
    precision: Annotated[
        PrecisionWord, typer.Option("--precision", help="How exact positions may be.")
    ] = PrecisionWord.NONE,
    identity: Annotated[
        bool, typer.Option("--identity", help="Devices and segments too, not trips alone.")
    ] = False,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            help=f"Only this part of a trip; again for more. One of {', '.join(TRIP_FIELDS)}.",
        ),
    ] = None,
    window_from: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Data captured since then.")
    ] = "1970-01-01",
    window_to: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Data captured before then.")
    ] = None,
    legal_basis: Annotated[
        str, typer.Option("--legal-basis", help="What the purpose rests on in law.")
    ] = "contract",
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a grant and have it committed.

    Example: haulproof grant add --to insurer-x --purpose insurance --vehicle v-1 --precision exact
    --identity --expires 2027-12-31 --key acme.pem --credentials acme.json
    """
    granted = Grant(
        grantee=to,
        purpose=purpose,
        legal_basis=legal_basis,
        vehicles=tuple(sorted(set(vehicle))),
        fields=tuple(sorted(set(fields))) if fields else None,
        precision=_PRECISION[precision],
        identity=identity,
        window_from_ms=time_ms(window_from, "--from"),
        window_to_ms=None if window_to is None else time_ms(window_to, "--until"),
        expires_ms=time_ms(expires, "--expires"),
        salt=os.urandom(SALT_BYTES),
    )
    signer = read_signer(key)
    with Api(read_credentials(credentials)) as api:
        raw = sign(
            signer,
            issuer=org_issuer(api.get("/v1/orgs/self")["name"]),
            subject=to,
            origin=api.get("/v1/log")["origin"],
            type_text=TYPE_TEXT[Kind.GRANT],
            payload=granted.encode(),
        )
        print_object(api.post("/v1/grants", {"statement": statement_text(raw)}), as_json)


@app.command("list")
def list_grants(credentials: CredentialsFile = None, as_json: AsJson = False) -> None:
    """Grants that your organisation gave or received.

    Example: haulproof grant list --credentials acme.json
    """
    with Api(read_credentials(credentials)) as api:
        items = _all_grants(api)
    if as_json:
        print_object({"items": items}, True)
        return
    columns = ("id", "from", "to", "purpose", "vehicles", "precision", "expires", "state")
    names = ("carrier", "grantee", "purpose", "vehicles", "precision", "expires_at", "state")
    rows = [[item["id"][:16], *(item[name] for name in names)] for item in items]
    none = "Your organisation has neither given nor received a grant."
    print_table(columns, rows, whole=("id",), if_empty=none)


@app.command("revoke")
def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="The grant's id, or its start.")],
    key: KeyFile,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a revocation and have it committed; it is in force at once.

    Example: haulproof grant revoke 3f9c21d07be4a815 --key acme.pem --credentials acme.json
    """
    signer = read_signer(key)
    with Api(read_credentials(credentials)) as api:
        found = _own_grant(api, grant)
        revocation = Revocation(
            target_kind=Kind.GRANT,
            target_digest=bytes.fromhex(found["id"]),
            at_ms=time.time_ns() // 1_000_000,
            salt=os.urandom(SALT_BYTES),
        )
        raw = sign(
            signer,
            issuer=org_issuer(found["carrier"]),
            subject=found["grantee"],
            origin=api.get("/v1/log")["origin"],
            type_text=TYPE_TEXT[Kind.REVOCATION],
            payload=revocation.encode(),
        )
        body = {"statement": statement_text(raw)}
        print_object(api.post(f"/v1/grants/{found['id']}/revocation", body), as_json)


def _own_grant(api: Api, wanted: str) -> dict[str, Any]:
    if not _ID_CHARS_MIN <= len(wanted) <= _ID_CHARS:
        raise WrongUsage(f"give at least {_ID_CHARS_MIN} characters of the grant's id")
    found = [item for item in _all_grants(api) if item["id"].startswith(wanted.lower())]
    if len(found) != 1:
        how_many = "no grant" if not found else "more than one grant"
        raise WrongUsage(f"{how_many} has an id that begins {wanted}: see haulproof grant list")
    return found[0]


def _all_grants(api: Api) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = api.get("/v1/grants", cursor=cursor, limit="1000")
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
