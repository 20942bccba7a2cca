"""What carriers send of their devices' keys: rotations, revocations, releases."""

import os
from typing import Any

from schemas.cose.keys import Signer
from schemas.kinds import Kind
from schemas.statements import device_key
from schemas.statements.release import Release
from schemas.statements.revocation import Revocation
from tests.exchange.world import T0, Organisation, World


def rotation_body(
    world: World,
    carrier: Organisation,
    device: str,
    new: Signer,
    old: Signer,
    boots: dict[bytes, int],
    *,
    assurance: int = device_key.AGENT_MEASURED,
) -> dict[str, str]:
    """What ``device rotate`` sends."""
    record = device_key.DeviceKey(
        carrier=carrier.name,
        device=device,
        cose_key=new.public.cose_key,
        proof=new.sign(device_key.possession_message(carrier.name, device, world.origin)),
        assurance=assurance,
        note="",
        created_ms=T0,
        salt=os.urandom(16),
        rotation=device_key.Rotation(old.public.thumbprint, boots),
    )
    payload = record.encode()
    return {"statement": world.signed(Kind.DEVICE_KEY, carrier, device, payload)}


def revocation_body(
    world: World, carrier: Organisation, device: str, key_id: str
) -> dict[str, str]:
    """What ``device revoke`` sends for the key whose record has this digest."""
    revoked = Revocation(
        Kind.DEVICE_KEY, bytes.fromhex(key_id), world.exchange.now_ms(), os.urandom(16)
    )
    payload = revoked.encode()
    return {"statement": world.signed(Kind.REVOCATION, carrier, device, payload)}


def release_body(
    world: World, carrier: Organisation, device: str, digests: list[bytes]
) -> dict[str, str]:
    """What ``device release`` sends."""
    released = Release(world.exchange.now_ms(), tuple(sorted(digests)), os.urandom(16))
    return {"statement": world.signed(Kind.DECLARATION, carrier, device, released.encode())}


def keys_of(world: World, carrier: Organisation, device: str) -> list[dict[str, Any]]:
    answer = world.http.get(f"/v1/devices/{device}/keys", headers=carrier.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def revoke_newest(world: World, carrier: Organisation, device: str) -> dict[str, Any]:
    """Revoke the device's newest key."""
    newest = keys_of(world, carrier, device)[-1]["id"]
    answer = world.http.post(
        f"/v1/devices/{device}/revocation",
        json=revocation_body(world, carrier, device, newest),
        headers=carrier.headers,
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
