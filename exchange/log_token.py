"""The log's Ed25519 key in a PKCS#11 token: made there, signs there, never leaves.

The one file that knows the library (extra ``pkcs11``), loaded only where a token is configured.
Tokens of today hold no ML-DSA-44 key: that one stays a file.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from exchange.exits import EnvironmentUnfit
from exchange.log_keys import TokenPlace
from exchange.private_files import unfit
from ledger.note import ED25519, PUBLIC_BYTES, VKey, check_name
from ledger.signing import SigningRefused

_CURVE = bytes.fromhex("06032b6570")
"""EC_PARAMS: DER of the object identifier 1.3.101.112, Ed25519 (RFC 8410)."""
_PIN_BYTES_MAX = 1_024


class KeyAway(SigningRefused):
    """The token does not sign just now; the text says what to look at."""


class TokenNoteSigner:
    """A ``NoteSigner`` whose private key is in a token.

    Opened at the first signature, and again after a fault. Raises ``EnvironmentUnfit`` when the
    token or the key in it cannot be used at all.
    """

    def __init__(self, name: str, place: TokenPlace) -> None:
        check_name(name)
        self._place = place
        with _session(place) as session:
            self._vkey = VKey(name, ED25519, _public(session, place))
            _private(session, place)
        self._held: tuple[Any, Any] | None = None

    @property
    def vkey(self) -> VKey:
        """The key that verifies what this signs."""
        return self._vkey

    def sign(self, text: bytes) -> bytes:
        """Raw Ed25519 signature (64 bytes) over a note's text; ``KeyAway``."""
        try:
            if self._held is None:
                session = _open(self._place)
                self._held = session, _private(session, self._place)
            signature: bytes = self._held[1].sign(text, mechanism=Mechanism.EDDSA)
        except (pkcs11.PKCS11Error, EnvironmentUnfit) as failed:
            self._held = None
            raise KeyAway(
                f"The token {self._place.token} does not sign ({_reason(failed)}). See that it is "
                "there and its PIN is right; it is tried again."
            ) from failed
        return signature


def has_token_key(place: TokenPlace) -> bool:
    """Whether the token holds the private key; ``EnvironmentUnfit`` when it cannot be asked."""
    with _session(place) as session:
        return bool(list(session.get_objects(_attributes(place, ObjectClass.PRIVATE_KEY))))


def make_token_key(place: TokenPlace) -> None:
    """Make the key pair in the token; the private key is not to be read out of it."""
    with _session(place, rw=True) as session:
        curve = session.create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _CURVE}, local=True
        )
        curve.generate_keypair(
            label=place.key,
            store=True,
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )


@contextmanager
def _session(place: TokenPlace, *, rw: bool = False) -> Iterator[Any]:
    """A session that ends; the library's errors as sentences."""
    try:
        session = _open(place, rw=rw)
        try:
            yield session
        finally:
            session.close()
    except pkcs11.PKCS11Error as failed:
        raise EnvironmentUnfit(
            f"the token {place.token} cannot be used ({_reason(failed)}): check log_token_module, "
            "log_token and log_token_pin_file"
        ) from None


def _open(place: TokenPlace, *, rw: bool = False) -> Any:
    library = pkcs11.lib(str(place.module))
    return library.get_token(token_label=place.token).open(user_pin=_pin(place.pin_file), rw=rw)


def _public(session: Any, place: TokenPlace) -> bytes:
    """The 32 bytes at the end of EC_POINT: some tokens wrap them in an OCTET STRING, some don't."""
    key = _one(session, place, ObjectClass.PUBLIC_KEY)
    point = bytes(key[Attribute.EC_POINT])
    if key.key_type is not KeyType.EC_EDWARDS or len(point) not in (32, 34):
        raise EnvironmentUnfit(
            f"the key {place.key} in the token {place.token} is not an Ed25519 key: name another"
        )
    return point[-PUBLIC_BYTES[ED25519] :]


def _private(session: Any, place: TokenPlace) -> Any:
    return _one(session, place, ObjectClass.PRIVATE_KEY)


def _one(session: Any, place: TokenPlace, object_class: ObjectClass) -> Any:
    found = list(session.get_objects(_attributes(place, object_class)))
    if len(found) != 1:
        raise EnvironmentUnfit(
            f"the token {place.token} has {len(found) or 'no'} keys named {place.key}: "
            "name the log's with log_token_key"
        )
    return found[0]


def _attributes(place: TokenPlace, object_class: ObjectClass) -> dict[Attribute, Any]:
    return {Attribute.CLASS: object_class, Attribute.LABEL: place.key}


def _pin(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise EnvironmentUnfit(f"{file} can be read by others: run chmod 600 {file}")
        with file.open("rb") as opened:
            return opened.read(_PIN_BYTES_MAX).decode().strip()
    except OSError as error:
        raise unfit(file, error) from None
    except UnicodeDecodeError:
        raise EnvironmentUnfit(f"{file} holds no PIN: write it there as text") from None


def _reason(failed: Exception) -> str:
    return str(failed) or type(failed).__name__
