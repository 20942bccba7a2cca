"""The agent's folder: its key, its request to be admitted, and what the exchange answered."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.note import NoteRefused, VKey
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.errors import StatementRefused
from schemas.limits import ORIGIN_BYTES_MAX
from schemas.names import device_issuer, is_name
from schemas.statements.device_key import possession_message

KEY_FILE = "device.key"
REQUEST_FILE = "request.json"
ENROLMENT_FILE = "enrolment.json"

_FILE_BYTES_MAX = 262_144
_ACK_INTERVAL_S_MAX = 86_400


class EnrolmentRefused(Exception):
    """The folder does not hold what an agent needs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who this device is: what ``agent enrol`` wrote and the carrier signed for."""

    carrier: str
    device: str
    origin: str

    @property
    def issuer(self) -> str:
        """``hp:<carrier>/<device>``."""
        return device_issuer(self.carrier, self.device)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the exchange gave: broker, password, and the keys to check its answers with."""

    request: Request
    vehicle: str
    mqtt_host: str
    mqtt_port: int
    mqtt_username: str
    mqtt_password: str
    ca_pem: str
    log_key: VKey
    exchange_keys: tuple[PublicKey, ...]
    ack_interval_s: float


def enrol(folder: Path, carrier: str, device: str, origin: str) -> Path:
    """Make the device's key and its request, or the same request again; ``EnrolmentRefused``."""
    if not is_name(carrier) or not is_name(device):
        raise EnrolmentRefused(
            "carrier and device are names of a-z, 0-9 and -, at most 63 characters"
        )
    if not _is_origin(origin):
        raise EnrolmentRefused(
            f"the origin is a name of at most {ORIGIN_BYTES_MAX} characters without spaces or +; "
            "take it from what haulproof up prints"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    request_file = folder / REQUEST_FILE
    if request_file.exists():
        known = read_request(folder)
        if known != Request(carrier, device, origin):
            raise EnrolmentRefused(
                f"{folder} belongs to {known.issuer} at {known.origin}; choose another --dir"
            )
    key_file = folder / KEY_FILE
    if key_file.exists():
        signer = read_key(folder)
    else:
        signer = SoftwareSigner.generate()
        write_private(key_file, signer.to_pem())
    proof = signer.sign(possession_message(carrier, device, origin))
    document = {
        "carrier": carrier,
        "device": device,
        "origin": origin,
        "cose_key": signer.public.cose_key.hex(),
        "proof": proof.hex(),
    }
    write_private(request_file, json.dumps(document, indent=2).encode() + b"\n")
    return request_file


def read_key(folder: Path, name: str = KEY_FILE) -> SoftwareSigner:
    """The device's private key; refused when others than the owner may read it."""
    path = folder / name
    try:
        if path.stat().st_mode & 0o077:
            raise EnrolmentRefused(f"{path} can be read by others; run: chmod 600 {path}")
        return SoftwareSigner.from_pem(path.read_bytes())
    except OSError as error:
        raise EnrolmentRefused(
            f"{path} cannot be read ({error.strerror}); run agent enrol"
        ) from None
    except (ValueError, StatementRefused):
        raise EnrolmentRefused(f"{path} holds no private key; run agent enrol anew") from None


def read_request(folder: Path) -> Request:
    """Who this device is; ``EnrolmentRefused`` when the folder does not say."""
    document = read_json(folder / REQUEST_FILE, "run agent enrol first")
    request = Request(*(_text(document, key) for key in ("carrier", "device", "origin")))
    if not is_name(request.carrier) or not is_name(request.device):
        raise EnrolmentRefused(f"{folder / REQUEST_FILE} names no device; run agent enrol anew")
    return request


def read_enrolment(folder: Path) -> Enrolment:
    """The exchange's answer; ``EnrolmentRefused`` when it is missing or does not fit."""
    request = read_request(folder)
    path = folder / ENROLMENT_FILE
    hint = f"have the carrier run: haulproof device add {folder / REQUEST_FILE} --out {path}"
    document = read_json(path, hint)
    if document.get("log_origin") != request.origin:
        raise EnrolmentRefused(f"{path} is of another exchange than {REQUEST_FILE}; {hint}")
    try:
        log_key = VKey.parse(_text(document, "log_vkey"))
        keys = tuple(
            PublicKey.from_cose_key(bytes.fromhex(item)) for item in document["exchange_keys"]
        )
    except (KeyError, TypeError, NoteRefused, ValueError):
        raise EnrolmentRefused(f"{path} holds no usable keys; {hint}") from None
    if log_key.name != request.origin:
        raise EnrolmentRefused(f"{path}: log_vkey is of another log than log_origin; {hint}")
    return Enrolment(
        request=request,
        vehicle=_text(document, "vehicle"),
        mqtt_host=_text(document, "mqtt_host"),
        mqtt_port=int(_number(document, "mqtt_port", 65_535)),
        mqtt_username=_text(document, "mqtt_username"),
        mqtt_password=_text(document, "mqtt_password"),
        ca_pem=_text(document, "ca_pem"),
        log_key=log_key,
        exchange_keys=keys,
        ack_interval_s=_number(document, "ack_interval_s", _ACK_INTERVAL_S_MAX),
    )


def read_json(path: Path, hint: str) -> Mapping[str, Any]:
    """The JSON object of a small file; ``EnrolmentRefused``, whose text ends with the hint."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_FILE_BYTES_MAX))
    except OSError as error:
        raise EnrolmentRefused(f"{path} cannot be read ({error.strerror}); {hint}") from None
    except ValueError:
        raise EnrolmentRefused(f"{path} is no JSON; {hint}") from None
    if not isinstance(document, dict):
        raise EnrolmentRefused(f"{path} is no JSON object; {hint}")
    return document


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _is_origin(text: str) -> bool:
    named = 0 < len(text) <= ORIGIN_BYTES_MAX and text.isascii() and text.isprintable()
    return named and not {" ", "+"} & set(text)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise EnrolmentRefused(f"the enrolment lacks {key}; run agent enrol and device add again")
    return value


def _number(document: Mapping[str, Any], key: str, largest: float) -> float:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        raise EnrolmentRefused(f"the enrolment lacks {key}; run agent enrol and device add again")
    return float(value)
