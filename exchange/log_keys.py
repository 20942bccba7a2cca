"""The log's two private keys: made once, checked at every start, opened by the signer alone.

A verifier key is a file that is written after its private key. Once it is there, readers may have
been told, so a private key that is gone is a loss to be told, not made again. A directory from
before a key existed gets that key at its next start. The Ed25519 key can be in a PKCS#11 token
instead of a file.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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

    @property
    def origin(self) -> str | None:
        """The log's origin, which its keys are named like."""

    def log_signer(self) -> NoteSigner:
        """The Ed25519 key's file as a signer; ``ValueError`` when it is damaged."""

    def ml_dsa_signer(self) -> NoteSigner:
        """The ML-DSA-44 key's file as a signer; ``ValueError`` when it is damaged."""


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """A key in a token: the maker's PKCS#11 library, labels of token and key, the PIN's file."""

    module: Path
    token: str
    key: str
    pin_file: Path


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The log's keys, used through their ports alone."""

    ed25519: NoteSigner
    """Signs every checkpoint."""
    ml_dsa: NoteSigner
    """ML-DSA-44; signs what readers pick up."""


def make_log_keys(place: KeyPlace, token: TokenPlace | None = None) -> None:
    """Make what is missing and check the rest; ``EnvironmentUnfit`` for a key lost or swapped."""
    if token is None:
        _make(place.log_key, place.vkey, lambda: _pem(Ed25519PrivateKey.generate()))
    else:
        _make_in_token(token, place.vkey)
    _make(place.ml_dsa_key, place.ml_dsa_vkey, lambda: _pem(MLDSA44PrivateKey.generate()))
    keys = open_log_keys(place, token)
    where = str(place.log_key) if token is None else f"{token.key} in the token {token.token}"
    _tell(keys.ed25519, where, place.vkey)
    _tell(keys.ml_dsa, str(place.ml_dsa_key), place.ml_dsa_vkey)


def open_log_keys(place: KeyPlace, token: TokenPlace | None = None) -> LogKeys:
    """The keys, for the signer; ``EnvironmentUnfit`` when one is damaged or out of reach."""
    if token is None:
        first = _opened(place.log_key, place.log_signer)
    else:
        first = _tokens().TokenNoteSigner(place.origin or "", token)
    return LogKeys(first, _opened(place.ml_dsa_key, place.ml_dsa_signer))


def _make_in_token(token: TokenPlace, vkey: Path) -> None:
    tokens = _tokens()
    if tokens.has_token_key(token):
        return
    if vkey.exists():
        raise EnvironmentUnfit(
            f"the token {token.token} has no key named {token.key}, and this log has one already: "
            "check log_token and log_token_key"
        )
    tokens.make_token_key(token)


def _tokens() -> Any:
    """The module that knows the library, which is an extra."""
    try:
        return importlib.import_module("exchange.log_token")
    except ModuleNotFoundError as missing:
        raise EnvironmentUnfit(
            f"log_token needs {missing.name}: pip install 'haulproof[pkcs11]'"
        ) from None


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


def _tell(signer: NoteSigner, key: str, vkey: Path) -> None:
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
