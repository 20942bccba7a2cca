"""POST /v1/devices: a carrier admits a device that it has signed for on its own machine."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.api.auth import Authenticated
from exchange.api.bodies import SignedStatement
from exchange.api.context import Context, Exchange
from exchange.api.idempotency import IdempotencyKey, Once
from exchange.devices.admission import AdmittedDevice, admit_device
from exchange.orgs.repository import org_keys
from exchange.signed_text import statement_bytes
from schemas.statements.org_key import Role

router = APIRouter(prefix="/v1", tags=["devices"])


class DeviceStatements(BaseModel):
    """The two statements that the carrier signed."""

    device_key: SignedStatement
    binding: SignedStatement


class DeviceBody(BaseModel):
    """A device record and its binding to a vehicle."""

    statements: DeviceStatements


class EnrolmentAnswer(BaseModel):
    """All that an agent needs to report; ``mqtt_password`` is told this once."""

    carrier: str
    device: str
    vehicle: str
    device_key_index: int
    binding_index: int
    mqtt_host: str
    mqtt_port: int
    mqtt_username: str
    mqtt_password: str
    ca_pem: str
    log_origin: str
    log_vkey: str
    exchange_keys: Annotated[list[str], Field(description="COSE_Keys, hexadecimal.")]
    ack_interval_s: int


@router.post("/devices", status_code=201, summary="Admit a device", response_model=EnrolmentAnswer)
def admit(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    body: DeviceBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only. The same device and key again: a new password; only a new binding is added."""
    caller.require((Role.CARRIER,), "admit devices")
    key_raw = statement_bytes(body.statements.device_key)
    binding_raw = statement_bytes(body.statements.binding)

    def act(conn: Connection[Any]) -> EnrolmentAnswer:
        admitted = admit_device(
            conn, key_raw, binding_raw, carrier=caller.organisation, origin=exchange.origin
        )
        return _enrolment(exchange, conn, caller.organisation, admitted)

    return Once(caller, request.url.path, key, body).answer(exchange, act)


def _enrolment(
    exchange: Exchange, conn: Connection[Any], carrier: str, admitted: AdmittedDevice
) -> EnrolmentAnswer:
    standing = [
        row.cose_key.hex()
        for row in org_keys(conn, [exchange.organisation])
        if row.revoked_index is None
    ]
    return EnrolmentAnswer(
        carrier=carrier,
        device=admitted.device,
        vehicle=admitted.vehicle,
        device_key_index=admitted.key_index,
        binding_index=admitted.binding_index,
        mqtt_host=exchange.mqtt.host,
        mqtt_port=exchange.mqtt.port,
        mqtt_username=f"{carrier}/{admitted.device}",
        mqtt_password=admitted.mqtt_password,
        ca_pem=exchange.mqtt.ca_pem,
        log_origin=exchange.origin,
        log_vkey=exchange.log_vkey,
        exchange_keys=standing,
        ack_interval_s=exchange.ack_interval_s,
    )
