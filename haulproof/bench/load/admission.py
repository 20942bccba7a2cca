"""A fleet for the bench: one carrier and its devices, admitted over the API like any other."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from exchange.commands.credentials import Credentials, read_credentials
from exchange.commands.http import Api
from exchange.signed_text import statement_text
from firmware_sim.fleet import FleetDevice
from haulproof.demo.processes import call
from schemas.cose.keys import Signer, SoftwareSigner
from schemas.cose.sign1 import sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import org_issuer
from schemas.statements.binding import Binding
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey, possession_message

CARRIER = "bench-carrier"

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device's way to the broker."""

    host: str
    port: int
    username: str
    password: str
    ca_pem: str


def admit_carrier(exchange: Path, party: Path) -> tuple[Signer, Credentials]:
    """The bench's carrier: its key and its credentials, kept in the folder ``party``."""
    key, credentials = party / "carrier.pem", party / "carrier.json"
    call(["org", "key", str(key), "--json"])
    public = ["--key", f"{key}.pub", "--dir", str(exchange), "--json"]
    admitted = call(["org", "add", CARRIER, "--role", "carrier", *public])
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps(admitted))
    return SoftwareSigner.from_pem(key.read_bytes()), read_credentials(credentials)


def admit_devices(
    devices: Sequence[FleetDevice],
    signer: Signer,
    credentials: Credentials,
    origin: str,
    tell: Callable[[int], None],
) -> list[Enrolled]:
    """Admit each device and bind it to its vehicle; their places at the broker, in order.

    ``tell`` hears how many are admitted so far.
    """
    admitted = count(1)

    def admit(part: Sequence[FleetDevice]) -> list[Enrolled]:
        places = []
        with Api(credentials) as api:
            for device in part:
                places.append(_admit(api, device, signer, origin))
                tell(next(admitted))
        return places

    size = -(-len(devices) // _AT_ONCE)
    parts = [devices[start : start + size] for start in range(0, len(devices), size)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [enrolled for part in pool.map(admit, parts) for enrolled in part]


def _admit(api: Api, device: FleetDevice, signer: Signer, origin: str) -> Enrolled:
    own = SoftwareSigner.from_pem(device.key_pem)
    salt = bytes(SALT_BYTES)  # nothing here is worth hiding, and a bench is repeatable
    record = DeviceKey(
        carrier=device.carrier,
        device=device.device,
        cose_key=own.public.cose_key,
        proof=own.sign(possession_message(device.carrier, device.device, origin)),
        assurance=AGENT_MEASURED,
        note="bench",
        created_ms=time.time_ns() // 1_000_000,
        salt=salt,
    )
    bound = Binding(device.device, device.vehicle, 0, None, salt)
    statements = [
        _signed(signer, device.carrier, device.device, origin, Kind.DEVICE_KEY, record.encode()),
        _signed(signer, device.carrier, device.vehicle, origin, Kind.BINDING, bound.encode()),
    ]
    body = {"device_key": statement_text(statements[0]), "binding": statement_text(statements[1])}
    answer = api.post("/v1/devices", {"statements": body})
    return Enrolled(
        host=answer["mqtt_host"],
        port=answer["mqtt_port"],
        username=answer["mqtt_username"],
        password=answer["mqtt_password"],
        ca_pem=answer["ca_pem"],
    )


def _signed(
    signer: Signer, carrier: str, subject: str, origin: str, kind: Kind, payload: bytes
) -> bytes:
    return sign(
        signer,
        issuer=org_issuer(carrier),
        subject=subject,
        origin=origin,
        type_text=TYPE_TEXT[kind],
        payload=payload,
    )
