"""What a monitor remembers between two looks: the newest checkpoint, and how far it has read."""

import json
from dataclasses import dataclass
from pathlib import Path

from exchange.exits import WrongUsage
from exchange.private_files import write_private
from ledger.note import NOTE_BYTES_MAX

_FORMAT = "haulproof monitor 1"


@dataclass(frozen=True, slots=True)
class Remembered:
    """The newest note that was verified, and the leaves whose entries were read under it."""

    note: bytes
    read: int


def load(path: Path) -> Remembered | None:
    """What was remembered; None for a first look, ``WrongUsage`` for a file that is damaged."""
    try:
        with path.open("rb") as file:
            data = file.read(2 * NOTE_BYTES_MAX)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(data)
        if found["format"] != _FORMAT:
            raise ValueError(_FORMAT)
        return Remembered(str(found["checkpoint"]).encode(), int(found["read"]))
    except (ValueError, KeyError, TypeError):
        raise WrongUsage(
            f"{path} is no monitor's state: bring it back from a backup, or name another file; "
            "without it, what the log showed before is forgotten"
        ) from None


def save(path: Path, remembered: Remembered) -> None:
    """Replace the state whole, durable on return; ``EnvironmentUnfit``."""
    found = {
        "format": _FORMAT,
        "checkpoint": remembered.note.decode(),
        "read": remembered.read,
    }
    write_private(path, (json.dumps(found) + "\n").encode(), mode=0o644)
