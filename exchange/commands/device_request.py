"""What an agent asks its carrier to sign (``request.json``, ``rotation.json``), and the record."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from exchange.commands.files import read_object
from exchange.exits import WrongUsage
from exchange.signed_text import statement_text
from schemas.cose.keys import Signer
from schemas.cose.sign1 import sign
from schemas.errors import StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES, SEQ_MAX
from schemas.names import org_issuer
from schemas.statements import device_key
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey, Rotation

Request = dict[str, str]
"""Carrier, device, origin, and the new key with its proof (hexadecimal)."""

_REQUEST = ("carrier", "device", "origin", "cose_key", "proof")


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """A request with the key that it replaces and what of that one may still arrive."""

    request: Request
    rotation: Rotation


def read_request(path: Path) -> Request:
    """The request of ``agent enrol``; ``WrongUsage`` otherwise."""
    return read_object(path, "request of agent enrol", *_REQUEST)


def read_rotation(path: Path) -> RotationRequest:
    """The request of ``agent rotate``; ``WrongUsage`` otherwise."""
    found = read_object(path, "request of agent rotate", *_REQUEST, "replaces")
    try:
        boots = {bytes.fromhex(boot): _seq(last) for boot, last in found["boots"]}
        replaces = bytes.fromhex(found["replaces"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise WrongUsage(
            f"{path} does not say what it replaces: make it again with haulproof agent rotate"
        ) from None
    return RotationRequest(found, Rotation(replaces, boots))


def _seq(found: str | float) -> int:
    seq = int(found)
    if not 0 <= seq <= SEQ_MAX:
        raise ValueError("no seq")
    return seq


def key_record(asked: Request, note: str, rotation: Rotation | None = None) -> DeviceKey:
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
            rotation=rotation,
        )
        return device_key.decode(record.encode(), asked["origin"])
    except (ValueError, StatementRefused) as error:
        again = "enrol" if rotation is None else "rotate"
        raise WrongUsage(
            f"the request does not prove the device's key ({error}): "
            f"make it again with haulproof agent {again}"
        ) from None


def signed_key(signer: Signer, origin: str, record: DeviceKey) -> str:
    """The record signed by the carrier, as text."""
    raw = sign(
        signer,
        issuer=org_issuer(record.carrier),
        subject=record.device,
        origin=origin,
        type_text=TYPE_TEXT[Kind.DEVICE_KEY],
        payload=record.encode(),
    )
    return statement_text(raw)
