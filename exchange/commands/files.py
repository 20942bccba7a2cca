"""Files that commands read and write: keys, requests, credentials. Keys are 0600 from the start."""

import json
import os
from pathlib import Path
from typing import Any

from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.private_files import unfit
from schemas.cose.keys import SoftwareSigner

_SMALL_FILE_BYTES_MAX = 1_048_576


def read_bytes(path: Path, what: str) -> bytes:
    """A small file's bytes; ``WrongUsage`` when it is not there, ``EnvironmentUnfit`` otherwise."""
    try:
        with path.open("rb") as file:
            data = file.read(_SMALL_FILE_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise WrongUsage(f"there is no {what} {path}: check the path") from None
    except IsADirectoryError:
        raise WrongUsage(f"{path} is a folder: give the {what} itself") from None
    except PermissionError:
        raise EnvironmentUnfit(
            f"no permission to read {path}: run this as the user that owns it"
        ) from None
    except OSError as error:
        raise unfit(path, error) from None
    if len(data) > _SMALL_FILE_BYTES_MAX:
        raise WrongUsage(f"{path} is too large to be a {what}: check the path")
    return data


def read_object(path: Path, what: str, *names: str) -> dict[str, Any]:
    """The JSON object of a file, which has text under each name; ``WrongUsage`` otherwise."""
    try:
        found = json.loads(read_bytes(path, what))
    except ValueError:
        raise WrongUsage(f"{path} is no {what}: it is not JSON") from None
    if not isinstance(found, dict):
        raise WrongUsage(f"{path} is no {what}: it is not a JSON object")
    missing = [name for name in names if not isinstance(found.get(name), str)]
    if missing:
        raise WrongUsage(f"{path} is no {what}: it lacks {missing[0]}")
    return found


def read_signer(place: str) -> SoftwareSigner:
    """The private key of ``--key``; ``WrongUsage`` when the file holds none."""
    if place.startswith("pkcs11:"):
        raise WrongUsage("keys on a PKCS#11 token are not read yet: give a PEM file as --key")
    path = Path(place)
    try:
        return SoftwareSigner.from_pem(read_bytes(path, "private key"))
    except ValueError:
        raise WrongUsage(
            f"{path} holds no unencrypted private key: make one with haulproof org key FILE"
        ) from None


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make a file that must not be there yet; ``WrongUsage`` when it is."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise WrongUsage(f"{path} exists already: choose another name, it is kept") from None
    except (FileNotFoundError, NotADirectoryError):
        raise WrongUsage(f"there is no folder {path.parent}: make it first") from None
    except OSError as error:
        raise unfit(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unfit(path, error) from None


def check_can_write(path: Path) -> None:
    """Before something is done that can't be repeated: that its answer can be kept."""
    if not path.absolute().parent.is_dir():
        raise WrongUsage(f"there is no folder {path.parent}: make it first")
    if path.is_dir():
        raise WrongUsage(f"{path} is a folder: give a file's name")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        # It would be replaced whole: as root, /dev/null for everybody.
        raise WrongUsage(f"{path} is a link or a device, no plain file: give a file's name")
    if not os.access(path.absolute().parent, os.W_OK):
        raise EnvironmentUnfit(f"no permission to write {path}: choose another place")
