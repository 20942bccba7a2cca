"""``haulproof device rotate|keys|revoke|aside|release``: what becomes of a device's keys."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.commands.credentials import read_credentials
from exchange.commands.device_request import key_record, read_rotation, signed_key
from exchange.commands.files import read_signer
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile, KeyFile
from exchange.commands.printing import print_object, print_table
from exchange.exits import WrongUsage
from exchange.signed_text import statement_text
from schemas.cose.keys import Signer
from schemas.cose.sign1 import sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import BOOT_BYTES, SALT_BYTES, SEQ_MAX
from schemas.names import org_issuer
from schemas.statements.release import Release
from schemas.statements.revocation import Revocation

DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="The device's name.")]


def rotate(
    rotation: Annotated[
        Path,
        typer.Argument(
            readable=False, metavar="ROTATION", help="The rotation.json of agent rotate."
        ),
    ],
    key: KeyFile,
    credentials: CredentialsFile = None,
    note: Annotated[str, typer.Option("--note", help="What a reader must know of it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign the record of a device's new key, which lists what of the old one may still arrive.

    Example: haulproof device rotate truck1/rotation.json --key acme.pem --credentials acme.json
    """
    asked = read_rotation(rotation)
    signer = read_signer(key)
    record = key_record(asked.request, note, asked.rotation)
    body = {"statement": signed_key(signer, asked.request["origin"], record)}
    with Api(read_credentials(credentials)) as api:
        print_object(api.post(f"/v1/devices/{record.device}/rotation", body), as_json)


def keys(device: DeviceName, credentials: CredentialsFile = None, as_json: AsJson = False) -> None:
    """Every key that a device had, and what each may still do.

    Example: haulproof device keys dev-1 --credentials acme.json
    """
    with Api(read_credentials(credentials)) as api:
        found = api.get(f"/v1/devices/{device}/keys")
    if as_json:
        print_object(found, True)
        return
    names = ("index", "state", "rotated_index", "revoked_index", "thumbprint")
    columns = ("index", "state", "replaced at", "revoked at", "thumbprint")
    rows = [[item[name] for name in names] for item in found["items"]]
    none = f"Your organisation has no device {device}."
    print_table(columns, rows, whole=("thumbprint",), if_empty=none)


def revoke(
    device: DeviceName,
    key: KeyFile,
    index: Annotated[
        int | None,
        typer.Option("--index", help="Which key, by its record's index; the newest if not given."),
    ] = None,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a device's key back; what it signed and the log lacks is kept aside from then on.

    Example: haulproof device revoke dev-1 --key acme.pem --credentials acme.json
    """
    signer = read_signer(key)
    with Api(read_credentials(credentials)) as api:
        listed = api.get(f"/v1/devices/{device}/keys")
        found = [one for one in listed["items"] if index is None or one["index"] == index]
        if not found:
            raise WrongUsage(f"{device} has no such key: see haulproof device keys {device}")
        revocation = Revocation(
            Kind.DEVICE_KEY, bytes.fromhex(found[-1]["id"]), _now_ms(), os.urandom(SALT_BYTES)
        )
        body = _signed(api, signer, Kind.REVOCATION, listed, revocation.encode())
        print_object(api.post(f"/v1/devices/{device}/revocation", body), as_json)


def aside(device: DeviceName, credentials: CredentialsFile = None, as_json: AsJson = False) -> None:
    """What a revoked key of a device signed and the log lacks, which you may release or not.

    Example: haulproof device aside dev-1 --credentials acme.json
    """
    with Api(read_credentials(credentials)) as api:
        found = api.get(f"/v1/devices/{device}/aside")
    if as_json:
        print_object(found, True)
        return
    names = ("boot", "seq", "bytes", "first_at", "digest")
    rows = [[item[name] for name in names] for item in found["items"]]
    none = f"Nothing of {device} is kept aside."
    columns = ("boot", "seq", "bytes", "first came", "digest")
    print_table(columns, rows, whole=("boot", "digest"), if_empty=none)


def release(
    device: DeviceName,
    key: KeyFile,
    digests: Annotated[
        list[str] | None,
        typer.Option("--digest", metavar="HEX", help="This statement; again for more."),
    ] = None,
    boot: Annotated[
        str | None, typer.Option("--boot", metavar="HEX", help="Statements of this boot.")
    ] = None,
    first: Annotated[
        int, typer.Option("--from", metavar="SEQ", help="Of the boot, from this seq.")
    ] = 0,
    last: Annotated[
        int | None, typer.Option("--to", metavar="SEQ", help="Of the boot, up to this seq.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Whatever of the device is kept aside.")
    ] = False,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Stand by what a revoked key signed: it is committed, behind a record that you released it.

    Example: haulproof device release dev-1 --boot 00a1b2c3d4e5f607 --to 41 --key acme.pem
    --credentials acme.json
    """
    if sum((bool(digests), boot is not None, everything)) != 1:
        raise WrongUsage("say what to release, in one way: --digest, --boot or --all")
    if boot is not None and not _is_boot(boot):
        raise WrongUsage(f"{boot} is no boot: take it from haulproof device aside {device}")
    signer = read_signer(key)
    with Api(read_credentials(credentials)) as api:
        listed = api.get(f"/v1/devices/{device}/aside")
        last_seq = SEQ_MAX if last is None else last
        chosen = [
            item["digest"]
            for item in listed["items"]
            if everything
            or item["digest"] in (digests or ())
            or (item["boot"] == boot and first <= item["seq"] <= last_seq)
        ]
        if not chosen or not set(digests or ()) <= set(chosen):
            raise WrongUsage(f"that is not kept aside: see haulproof device aside {device}")
        released = Release(
            _now_ms(), tuple(sorted(map(bytes.fromhex, chosen))), os.urandom(SALT_BYTES)
        )
        body = _signed(api, signer, Kind.DECLARATION, listed, released.encode())
        print_object(api.post(f"/v1/devices/{device}/release", body), as_json)


def _signed(
    api: Api, signer: Signer, kind: Kind, listed: dict[str, Any], payload: bytes
) -> dict[str, str]:
    raw = sign(
        signer,
        issuer=org_issuer(listed["carrier"]),
        subject=listed["device"],
        origin=api.get("/v1/log")["origin"],
        type_text=TYPE_TEXT[kind],
        payload=payload,
    )
    return {"statement": statement_text(raw)}


def _is_boot(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == BOOT_BYTES
    except ValueError:
        return False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
