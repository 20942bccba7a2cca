"""/v1/devices: a carrier admits devices and changes their keys, signed on its own machine."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from psycopg import Connection
from pydantic import BaseModel, Field

from exchange.api.auth import Authenticated
from exchange.api.bodies import DeviceName, SignedBody, SignedStatement
from exchange.api.context import Context, Exchange
from exchange.api.idempotency import IdempotencyKey, Once
from exchange.devices.admission import AdmittedDevice, admit_device
from exchange.devices.key_changes import revoke_key, rotate_key
from exchange.devices.repository import DeviceKeyRow, KeyState, device_keys
from exchange.orgs.repository import org_keys
from exchange.signed_text import statement_bytes
from exchange.transparency.repository import digests_at
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


class RotationAnswer(BaseModel):
    """The record of the new key and of the one that it replaced, by their log indices."""

    carrier: str
    device: str
    device_key_index: int
    replaced_index: int


class DeviceKeyItem(BaseModel):
    """A key of a device as it stands."""

    index: Annotated[int, Field(description="Log index of its record, which is /log/key/INDEX.")]
    id: Annotated[str, Field(description="SHA-256 of its record, hexadecimal.")]
    thumbprint: str
    cose_key: str
    state: KeyState
    rotated_index: int | None
    revoked_index: int | None


class DeviceKeyList(BaseModel):
    """Every key that a device ever had, oldest first."""

    carrier: str
    device: str
    items: list[DeviceKeyItem]


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


@router.get("/devices/{device}/keys", summary="A device's keys", response_model=DeviceKeyList)
def keys(exchange: Context, caller: Authenticated, device: DeviceName) -> DeviceKeyList:
    """Carrier only: its own device's keys, replaced and revoked ones too."""
    caller.require((Role.CARRIER,), "see devices")
    with exchange.connection() as conn:
        found = _key_items(conn, caller.organisation, device)
    return DeviceKeyList(carrier=caller.organisation, device=device, items=found)


@router.post(
    "/devices/{device}/rotation",
    status_code=201,
    summary="Replace a device's key",
    response_model=RotationAnswer,
)
def rotate(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    device: DeviceName,
    body: SignedBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only: a record of the new key that lists what of the old one may still arrive."""
    caller.require((Role.CARRIER,), "replace the keys of devices")
    raw = statement_bytes(body.statement)

    def act(conn: Connection[Any]) -> RotationAnswer:
        done = rotate_key(
            conn, raw, carrier=caller.organisation, device=device, origin=exchange.origin
        )
        return RotationAnswer(
            carrier=caller.organisation,
            device=device,
            device_key_index=done.index,
            replaced_index=done.replaced_index,
        )

    return Once(caller, request.url.path, key, body).answer(exchange, act)


@router.post(
    "/devices/{device}/revocation",
    status_code=201,
    summary="Revoke a device's key",
    response_model=DeviceKeyItem,
)
def revoke(
    request: Request,
    exchange: Context,
    caller: Authenticated,
    device: DeviceName,
    body: SignedBody,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Carrier only: what the key signed and the log lacks is kept aside from now on."""
    caller.require((Role.CARRIER,), "revoke the keys of devices")
    raw = statement_bytes(body.statement)

    def act(conn: Connection[Any]) -> DeviceKeyItem:
        row = revoke_key(
            conn, raw, carrier=caller.organisation, device=device, origin=exchange.origin
        )
        return _key_item(row, digests_at(conn, [row.index])[row.index])

    return Once(caller, request.url.path, key, body).answer(exchange, act)


def _key_items(conn: Connection[Any], carrier: str, device: str) -> list[DeviceKeyItem]:
    rows = device_keys(conn, [(carrier, device)]).get((carrier, device), [])
    digests = digests_at(conn, [row.index for row in rows])
    return [_key_item(row, digests[row.index]) for row in rows]


def _key_item(row: DeviceKeyRow, digest: bytes) -> DeviceKeyItem:
    return DeviceKeyItem(
        index=row.index,
        id=digest.hex(),
        thumbprint=row.thumbprint.hex(),
        cose_key=row.cose_key.hex(),
        state=row.state,
        rotated_index=row.rotated_index,
        revoked_index=row.revoked_index,
    )


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
