"""``haulproof device``: a carrier admits a truck's device, signed on the carrier's machine."""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.commands.credentials import read_credentials
from exchange.commands.files import check_can_write, read_object, read_signer
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile, KeyFile, time_ms
from exchange.commands.printing import print_object
from exchange.exits import WrongUsage
from exchange.private_files import write_private
from exchange.signed_text import statement_text
from schemas.cose.keys import Signer
from schemas.cose.sign1 import sign
from schemas.errors import StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import org_issuer
from schemas.statements import device_key
from schemas.statements.binding import Binding
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey

app = typer.Typer(help="Devices on trucks.", no_args_is_help=True)

_REQUEST = ("carrier", "device", "origin", "cose_key", "proof")


@app.callback()
def _group() -> None:
    """Devices on trucks."""


@app.command("add")
def add(
    request: Annotated[
        Path,
        typer.Argument(readable=False, metavar="REQUEST", help="The request.json of agent enrol."),
    ],
    vehicle: Annotated[str, typer.Option("--vehicle", help="The vehicle's pseudonym.")],
    key: KeyFile,
    out: Annotated[
        Path,
        typer.Option(
            "--out", readable=False, metavar="FILE", help="Where the enrolment goes (0600)."
        ),
    ],
    credentials: CredentialsFile = None,
    from_: Annotated[
        str, typer.Option("--from", help="Since when the device sits in the vehicle.")
    ] = "1970-01-01",
    to: Annotated[str | None, typer.Option("--to", help="Until when; open if not given.")] = None,
    note: Annotated[str, typer.Option("--note", help="What a reader must know of it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign a device's record and its binding to a vehicle, have them admitted, write its enrolment.

    Example: haulproof device add truck1/request.json --vehicle v-1 --key acme.pem
    --credentials acme.json --out truck1/enrolment.json
    """
    asked = read_object(request, "request of agent enrol", *_REQUEST)
    signer = read_signer(key)
    check_can_write(out)
    record = _record(asked, note)
    binding = Binding(
        device=record.device,
        vehicle=vehicle,
        from_ms=time_ms(from_, "--from"),
        to_ms=None if to is None else time_ms(to, "--to"),
        salt=os.urandom(SALT_BYTES),
    )
    with Api(read_credentials(credentials)) as api:
        enrolment = api.post(
            "/v1/devices", {"statements": _signed(signer, asked["origin"], record, binding)}
        )
    write_private(out, (json.dumps(enrolment, indent=1) + "\n").encode())
    names = ("carrier", "device", "vehicle", "device_key_index", "binding_index")
    print_object({**{name: enrolment[name] for name in names}, "enrolment": str(out)}, as_json)


def _record(asked: dict[str, Any], note: str) -> DeviceKey:
    """The device's record; ``WrongUsage`` when the request does not prove its key."""
    try:
        record = DeviceKey(
            carrier=asked["carrier"],
            device=asked["device"],
            cose_key=bytes.fromhex(asked["cose_key"]),
            proof=bytes.fromhex(asked["proof"]),
            assurance=AGENT_MEASURED,
            note=note,
            created_ms=time.time_ns() // 1_000_000,
            salt=os.urandom(SALT_BYTES),
        )
        return device_key.decode(record.encode(), asked["origin"])
    except (ValueError, StatementRefused) as error:
        raise WrongUsage(
            f"the request does not prove the device's key ({error}): "
            "make it again with haulproof agent enrol"
        ) from None


def _signed(signer: Signer, origin: str, record: DeviceKey, binding: Binding) -> dict[str, str]:
    issuer = org_issuer(record.carrier)
    key_raw = sign(
        signer,
        issuer=issuer,
        subject=record.device,
        origin=origin,
        type_text=TYPE_TEXT[Kind.DEVICE_KEY],
        payload=record.encode(),
    )
    binding_raw = sign(
        signer,
        issuer=issuer,
        subject=binding.vehicle,
        origin=origin,
        type_text=TYPE_TEXT[Kind.BINDING],
        payload=binding.encode(),
    )
    return {"device_key": statement_text(key_raw), "binding": statement_text(binding_raw)}
