"""Rotation: a new key for the device, and a request that lists what the old one may still send.

    device.key.next ──────> rotation.json.next ──────> device.key ──────> rotation.json
    the new key, made once  what the old key signed     the switch        for the carrier

Each arrow is a file that appears whole and is synced. Killed before the switch, the agent goes on
with the old key, and the next call lists anew; killed after it, the list is complete already, and
the next call only hands it out. The caller holds the folder's lock: nobody signs meanwhile.

The agent may run at once. What the new key signs waits until the carrier's record is admitted.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_agent.enrolment import (
    KEY_FILE,
    EnrolmentRefused,
    Request,
    enrol,
    read_json,
    read_key,
    read_request,
    write_private,
)
from edge_agent.outbox import Outbox
from schemas.cose import sign1
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.limits import ROTATION_BOOTS_MAX
from schemas.statements.device_key import possession_message

ROTATION_FILE = "rotation.json"

_NEXT_KEY_FILE = "device.key.next"
_NEXT_ROTATION_FILE = "rotation.json.next"


def rotate(folder: Path, outbox: Outbox, again: str = "") -> Path:
    """Give the device a new key, or finish what an earlier call began; the carrier's request.

    A new key that the log has not heard of yet (no statement of it has a receipt) is not rotated
    again: its request is. The outbox forgets, and a key may be revoked before its first receipt:
    then ``again`` is the thumbprint (hex) of the key to replace, as the exchange lists it. A call
    that is repeated after that key was replaced hands out the request that replaced it.
    ``EnrolmentRefused`` when the folder holds no agent, or another key than ``again``.
    """
    request, current = read_request(folder), read_key(folder)
    is_named = current.public.thumbprint.hex() == again
    if again and not is_named and not _replaces(folder, again):
        raise EnrolmentRefused(
            f"{folder} holds another key; name the device's newest one as haulproof device keys "
            "lists it, or leave --again out"
        )
    if not _is_of(folder / _NEXT_ROTATION_FILE, current.public):
        waiting = _is_of(folder / ROTATION_FILE, current.public)
        if waiting and not is_named and not _has_receipt(outbox, current.public):
            return folder / ROTATION_FILE
        _switch(folder, request, current, outbox)
    enrol(folder, request.carrier, request.device, request.origin)
    os.replace(folder / _NEXT_ROTATION_FILE, folder / ROTATION_FILE)
    _sync(folder)
    return folder / ROTATION_FILE


def _switch(folder: Path, request: Request, old: SoftwareSigner, outbox: Outbox) -> None:
    next_key = folder / _NEXT_KEY_FILE
    if next_key.exists():
        new = read_key(folder, _NEXT_KEY_FILE)
    else:
        new = SoftwareSigner.generate()
        write_private(next_key, new.to_pem())
    boots = _unreceipted(outbox, old.public)
    message = possession_message(request.carrier, request.device, request.origin)
    document = {
        "carrier": request.carrier,
        "device": request.device,
        "origin": request.origin,
        "cose_key": new.public.cose_key.hex(),
        "proof": new.sign(message).hex(),
        "replaces": old.public.thumbprint.hex(),
        "boots": [[boot.hex(), last] for boot, last in sorted(boots.items())],
    }
    write_private(folder / _NEXT_ROTATION_FILE, json.dumps(document, indent=2).encode() + b"\n")
    _sync(folder)
    os.replace(next_key, folder / KEY_FILE)
    _sync(folder)


def _unreceipted(outbox: Outbox, key: PublicKey) -> dict[bytes, int]:
    """The last seq, by boot, of what the key signed and no receipt has come for."""
    boots: dict[bytes, int] = {}
    for boot, seq, raw in outbox.signed("sealed"):
        if _is_by(raw, key):
            boots[boot] = max(seq, boots.get(boot, seq))
    if len(boots) > ROTATION_BOOTS_MAX:
        raise EnrolmentRefused(
            f"statements of {len(boots)} starts wait for receipts, and a rotation lists "
            f"{ROTATION_BOOTS_MAX}; let the agent send them first"
        )
    return boots


def _has_receipt(outbox: Outbox, key: PublicKey) -> bool:
    return any(_is_by(raw, key) for _, _, raw in outbox.signed("receipted"))


def _is_by(raw: bytes, key: PublicKey) -> bool:
    header = sign1.parse(raw).header
    return (header.kid, header.alg) == (key.kid, key.alg)


def _is_of(path: Path, key: PublicKey) -> bool:
    """Whether there is a request in the file, and this is its new key."""
    return _request_in(path).get("cose_key") == key.cose_key.hex()


def _replaces(folder: Path, thumbprint: str) -> bool:
    """Whether a request, handed out or about to be, replaces this key."""
    requests = (folder / _NEXT_ROTATION_FILE, folder / ROTATION_FILE)
    return any(_request_in(path).get("replaces") == thumbprint for path in requests)


def _request_in(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    return read_json(path, "remove it, and run agent rotate again")


def _sync(folder: Path) -> None:
    """A power cut after this takes no rename of the folder back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
