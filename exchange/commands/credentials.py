"""Who a command acts for: a credentials file, the environment, or the operator's directory."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exchange.commands.files import read_object
from exchange.directory import existing_directory
from exchange.exits import EnvironmentUnfit, WrongUsage

_NAMES = ("api", "client_id", "client_secret")
_VARIABLES = ("HAULPROOF_API", "HAULPROOF_CLIENT_ID", "HAULPROOF_CLIENT_SECRET")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The exchange's address and a client of it."""

    api: str
    client_id: str
    client_secret: str = field(repr=False)


def read_credentials(path: Path | None, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Of the file that ``org add --json`` printed, else of the environment; ``WrongUsage``."""
    if path is not None:
        found = read_object(path, "credentials file", *_NAMES)
        return _checked(Credentials(*(found[name] for name in _NAMES)))
    missing = [name for name in _VARIABLES if not environment.get(name)]
    if missing:
        raise WrongUsage(
            f"give --credentials FILE, or set {', '.join(_VARIABLES)} ({missing[0]} is not set)"
        )
    return _checked(Credentials(*(environment[name] for name in _VARIABLES)))


def operator_credentials(directory: Path) -> Credentials:
    """The operator's, of the directory of an exchange; ``EnvironmentUnfit``."""
    held = existing_directory(directory)
    if not held.announcement.exists():
        raise EnvironmentUnfit(
            f"the exchange in {directory} has not been up yet: start haulproof up --dir {directory}"
        )
    announced = json.loads(held.announcement.read_bytes())
    operator = read_object(held.operator, "operator's file", "client_id", "client_secret")
    return _checked(Credentials(announced["api"], operator["client_id"], operator["client_secret"]))


def _checked(credentials: Credentials) -> Credentials:
    if not credentials.api.startswith(("http://", "https://")):
        raise WrongUsage(
            f"{credentials.api} is no address of an exchange: it begins with http:// or https://"
        )
    return credentials
