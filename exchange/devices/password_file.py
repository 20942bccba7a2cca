"""Mosquitto's password file: one line for each device that may connect, and for the exchange.

The form is Mosquitto 2's own (``mosquitto_passwd``): ``user:$7$iterations$salt$hash``, PBKDF2 with
SHA-512. The passwords are 256 random bits, which no number of iterations makes harder to guess.
"""

import base64
import hashlib
from collections.abc import Mapping

from schemas.names import is_name

SALT_BYTES = 12
_ITERATIONS = 101
_HASH_BYTES = 64


def hashed(password: str, salt: bytes) -> str:
    """What the file holds for a password; ``salt`` is random, of ``SALT_BYTES``."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, _HASH_BYTES)
    return f"$7${_ITERATIONS}${_base64(salt)}${_base64(key)}"


def merged(text: str, exchange: Mapping[str, str], devices: Mapping[str, str] | None) -> str:
    """The file with these users' hashes in it; users that are neither are kept.

    A device that is not among ``devices`` is gone from the file; with None they stay as they are.
    """
    ours = {**exchange, **(devices or {})}
    kept = [
        line
        for line in text.splitlines()
        if (user := line.partition(":")[0]) not in ours
        and (devices is None or not _is_device(user))
    ]
    lines = [*kept, *(f"{user}:{held}" for user, held in ours.items())]
    return "".join(f"{line}\n" for line in lines if line)


def _is_device(user: str) -> bool:
    carrier, separator, device = user.partition("/")
    return bool(separator) and is_name(carrier) and is_name(device)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
