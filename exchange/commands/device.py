"""``haulproof device``: a carrier admits a truck's device, signed on the carrier's machine."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from exchange.commands import device_keys
from exchange.commands.credentials import read_credentials
from exchange.commands.device_request import key_record, read_request, signed_key
from exchange.commands.files import check_can_write, read_signer
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile, KeyFile, time_ms
from exchange.commands.printing import print_object
from exchange.private_files import write_private
from exchange.signed_text import statement_text
from schemas.cose.keys import Signer
from schemas.cose.sign1 import sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import org_issuer
from schemas.statements.binding import Binding
from schemas.statements.device_key import DeviceKey

app = typer.Typer(help="Devices on trucks.", no_args_is_help=True)

for _command in (
    device_keys.rotate,
    device_keys.keys,
    device_keys.revoke,
    device_keys.aside,
    device_keys.release,
):
    app.command(_command.__name__)(_command)


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
    asked = read_request(request)
    signer = read_signer(key)
    check_can_write(out)
    record = key_record(asked, note)
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


def _signed(signer: Signer, origin: str, record: DeviceKey, binding: Binding) -> dict[str, str]:
    binding_raw = sign(
        signer,
        issuer=org_issuer(record.carrier),
        subject=binding.vehicle,
        origin=origin,
        type_text=TYPE_TEXT[Kind.BINDING],
        payload=binding.encode(),
    )
    return {
        "device_key": signed_key(signer, origin, record),
        "binding": statement_text(binding_raw),
    }
