"""The log's two private keys: made once, checked at every start, opened by the signer alone.

A verifier key is a file that is written after its private key. Once it is there, readers may have
been told, so a private key that is gone is a loss to be told, not made again. A directory from
before a key existed gets that key at its next start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from exchange.exits import EnvironmentUnfit
from exchange.private_files import write_private
from ledger.note import NoteSigner


class KeyPlace(Protocol):
    """Where the keys are; an exchange's ``Directory`` is one."""

    log_key: Path
    vkey: Path
    ml_dsa_key: Path
    ml_dsa_vkey: Path

    def log_signer(self) -> NoteSigner:
        """The Ed25519 key's file as a signer; ``ValueError`` when it is damaged."""

    def ml_dsa_signer(self) -> NoteSigner:
        """The ML-DSA-44 key's file as a signer; ``ValueError`` when it is damaged."""


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The log's keys, used through their ports alone."""

    ed25519: NoteSigner
    """Signs every checkpoint."""
    ml_dsa: NoteSigner
    """ML-DSA-44; signs what readers pick up."""


def make_log_keys(place: KeyPlace) -> None:
    """Make what is missing and check the rest; ``EnvironmentUnfit`` for a key lost or swapped."""
    _make(place.log_key, place.vkey, lambda: _pem(Ed25519PrivateKey.generate()))
    _make(place.ml_dsa_key, place.ml_dsa_vkey, lambda: _pem(MLDSA44PrivateKey.generate()))
    keys = open_log_keys(place)
    _tell(keys.ed25519, place.log_key, place.vkey)
    _tell(keys.ml_dsa, place.ml_dsa_key, place.ml_dsa_vkey)


def open_log_keys(place: KeyPlace) -> LogKeys:
    """The keys, for the signer; ``EnvironmentUnfit`` when one is damaged."""
    return LogKeys(
        _opened(place.log_key, place.log_signer), _opened(place.ml_dsa_key, place.ml_dsa_signer)
    )


def _make(key: Path, vkey: Path, content: Callable[[], bytes]) -> None:
    if key.exists():
        return
    if vkey.exists():
        raise EnvironmentUnfit(
            f"{key} is gone: bring it back from a backup, a new one would not fit what was signed"
        )
    write_private(key, content())


def _opened(key: Path, read: Callable[[], NoteSigner]) -> NoteSigner:
    try:
        return read()
    except ValueError:
        raise EnvironmentUnfit(f"{key} is damaged: bring it back from a backup") from None


def _tell(signer: NoteSigner, key: Path, vkey: Path) -> None:
    """Write the verifier key, or check that it is still this signer's."""
    text = f"{signer.vkey}\n"
    if not vkey.exists():
        write_private(vkey, text.encode())
    elif vkey.read_text(encoding="ascii") != text:
        raise EnvironmentUnfit(
            f"{key} is the key of another log than {vkey}: bring the right one back from a backup"
        )


def _pem(key: Ed25519PrivateKey | MLDSA44PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
