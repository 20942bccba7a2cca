"""The part of a NATS configuration by which our auth callout decides who a device is."""

import json
from pathlib import Path

from exchange.directory import Directory, read_secrets
from exchange.embedded.nats import accounts, issuer_public
from exchange.private_files import write_private

ACCOUNTS_FILE = "haulproof-accounts.conf"


def write_accounts(folder: Path, directory: Directory) -> Path:
    """Write the file that a NATS configuration includes; it holds passwords (0600)."""
    held = read_secrets(directory.nats_secrets)
    members = accounts(held, issuer_public(held["issuer_seed"]))
    path = folder / ACCOUNTS_FILE
    lines = [f"{name}: {json.dumps(value, indent=1)}\n" for name, value in members.items()]
    write_private(path, "".join(lines).encode())
    return path
