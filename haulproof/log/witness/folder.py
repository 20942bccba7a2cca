"""A witness's folder: its name, its keys and its state, made once.

    name           the name in its keys and cosignatures, for ever
    state.db       what it cosigned last (haulproof.log.witness.store)
    ed25519.key    unencrypted PKCS#8 PEM of mode 0600, like the next
    ml-dsa-44.key

State comes before keys: a witness with keys and no state has lost what it cosigned, and does not
start. A start that was killed half-way is completed by the next one.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.private_files import check_owner, make_private_folder, unfit, write_private
from haulproof.log.witness.store import StateLost, StateUnreadable, WitnessStore
from ledger.cosignature import NAME_BYTES_MAX, Ed25519Cosigner, MLDSA44Cosigner
from ledger.note import NoteRefused, NoteSigner, check_name

_NAME, _STATE = "name", "state.db"
_ED25519, _ML_DSA_44 = "ed25519.key", "ml-dsa-44.key"


def open_folder(folder: Path, name: str | None) -> tuple[list[NoteSigner], WitnessStore]:
    """The cosigners of a witness and its state; makes what a first start lacks.

    ``name`` is needed at the first start, and later only compared. Raises ``WrongUsage`` and
    ``EnvironmentUnfit`` with a sentence.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        make_private_folder(folder)
        check_owner(folder)
        known = _keep_name(folder, name)
        store = _open_state(folder)
        _make_key(folder / _ED25519, Ed25519PrivateKey.generate)
        _make_key(folder / _ML_DSA_44, MLDSA44PrivateKey.generate)
        return _signers(folder, known), store
    except OSError as error:
        raise unfit(Path(error.filename or folder), error) from None


def _keep_name(folder: Path, name: str | None) -> str:
    path = folder / _NAME
    if not path.exists():
        if name is None:
            raise WrongUsage(
                "a new witness needs a name: add --name, for example witness.example.com"
            )
        _check_name(name)
        write_private(path, f"{name}\n".encode())
        return name
    known = path.read_text(encoding="utf-8").strip()
    if name not in (None, known):
        raise WrongUsage(f"the witness in {folder} is called {known} for ever: leave --name out")
    return known


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except NoteRefused as refused:
        raise WrongUsage(f"--name is wrong: {refused}") from None
    if len(name.encode()) > NAME_BYTES_MAX or not name.isprintable():
        raise WrongUsage(f"--name is wrong: at most {NAME_BYTES_MAX} bytes that can be printed")


def _open_state(folder: Path) -> WitnessStore:
    path = folder / _STATE
    is_new = not any((folder / key).exists() for key in (_ED25519, _ML_DSA_44))
    try:
        if not is_new and not path.exists():
            raise StateLost
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return WitnessStore(path, is_new=is_new)
    except StateLost:
        raise EnvironmentUnfit(
            f"{path} is gone or empty, and with it what this witness has cosigned: bring it back "
            "as it was last, or start a new witness with another --dir and --name"
        ) from None
    except (sqlite3.DatabaseError, StateUnreadable) as error:
        raise EnvironmentUnfit(
            f"{path} cannot be used as a witness's state ({error}): see that it is the right file "
            "and that its disk has room"
        ) from None


def _make_key(path: Path, generate: Callable[[], Ed25519PrivateKey | MLDSA44PrivateKey]) -> None:
    if path.exists():
        return
    pem = generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(path, pem)


def _signers(folder: Path, name: str) -> list[NoteSigner]:
    path = folder / _ED25519
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        first = Ed25519Cosigner(name, private)
        path = folder / _ML_DSA_44
        return [first, MLDSA44Cosigner.from_pem(name, path.read_bytes())]
    except (ValueError, TypeError):
        raise EnvironmentUnfit(f"{path} is damaged: bring it back from a backup") from None
