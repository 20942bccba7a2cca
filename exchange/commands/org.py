"""``haulproof org``: an organisation's key, and its admission by the operator."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from exchange.commands.credentials import Credentials, operator_credentials, read_credentials
from exchange.commands.files import read_bytes, read_object, write_new
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile
from exchange.commands.printing import print_object
from exchange.exits import WrongUsage
from schemas.cose.keys import SoftwareSigner
from schemas.cose.suites import SUITES
from schemas.statements.org_key import possession_message

app = typer.Typer(help="Organisations and their keys.", no_args_is_help=True)

OperatorDirectory = Annotated[
    Path | None,
    typer.Option(
        "--dir", readable=False, metavar="DIR", help="The exchange's directory: act as operator."
    ),
]

_ALGS = {suite.name: alg for alg, suite in SUITES.items()}


class MemberRole(StrEnum):
    """Roles that the operator can give."""

    CARRIER = "carrier"
    FREIGHT = "freight"
    SETTLEMENT = "settlement"
    INSURER = "insurer"
    BANK = "bank"
    REGULATOR = "regulator"


@app.command("key")
def make_key(
    file: Annotated[
        Path, typer.Argument(readable=False, metavar="FILE", help="Where the private key goes.")
    ],
    alg: Annotated[str, typer.Option("--alg", help=f"One of {', '.join(_ALGS)}.")] = "ES256",
    as_json: AsJson = False,
) -> None:
    """Make an organisation's key: FILE (0600, never leaves this machine) and FILE.pub.

    Example: haulproof org key acme.pem
    """
    if alg not in _ALGS:
        raise WrongUsage(f"there is no algorithm {alg}: use one of {', '.join(_ALGS)}")
    public_file = file.with_name(file.name + ".pub")
    if public_file.exists():
        raise WrongUsage(f"{public_file} exists already: choose another name, it is kept")
    signer = SoftwareSigner.generate(_ALGS[alg])
    cose_key = signer.public.cose_key
    write_new(file, signer.to_pem())
    public = {
        "cose_key": cose_key.hex(),
        "proof": signer.sign(possession_message(cose_key)).hex(),
        "thumbprint": signer.public.thumbprint.hex(),
    }
    write_new(public_file, (json.dumps(public, indent=1) + "\n").encode(), mode=0o644)
    said = {"key": str(file), "public": str(public_file), "thumbprint": public["thumbprint"]}
    print_object(said, as_json)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case, digits, hyphens.")],
    role: Annotated[MemberRole, typer.Option("--role", help="What it is to the exchange.")],
    key: Annotated[
        Path,
        typer.Option(
            "--key", readable=False, metavar="PUB", help="The FILE.pub that org key made."
        ),
    ],
    directory: OperatorDirectory = None,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Admit an organisation (operator only); prints its client id and secret this once.

    Example: haulproof org add acme --role carrier --key acme.pem.pub --dir ex --json > acme.json
    """
    if b"PRIVATE KEY" in read_bytes(key, "public key"):
        raise WrongUsage(
            f"{key} is a private key, which stays with its owner: give the {key.name}.pub beside it"
        )
    public = read_object(key, "public key", "cose_key", "proof")
    operator = _operator(directory, credentials)
    with Api(operator) as api:
        admitted = api.post(
            "/v1/orgs",
            {
                "name": name,
                "role": role.value,
                "cose_key": public["cose_key"],
                "proof": public["proof"],
            },
        )
    print_object({"api": operator.api, **admitted}, as_json)


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The organisation.")],
    thumbprint: Annotated[
        str | None,
        typer.Option("--thumbprint", metavar="HEX", help="Which key; all of them if not given."),
    ] = None,
    directory: OperatorDirectory = None,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Take an organisation's key back (operator only): it signs nothing from then on.

    Example: haulproof org revoke acme --dir ex
    """
    with Api(_operator(directory, credentials)) as api:
        body = {"thumbprint": thumbprint}
        print_object(api.post(f"/v1/orgs/{name}/revocation", body), as_json)


def _operator(directory: Path | None, credentials: Path | None) -> Credentials:
    return read_credentials(credentials) if directory is None else operator_credentials(directory)
