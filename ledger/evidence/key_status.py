"""What the exchange says of the keys in a file: up to a tree size nothing else became of them.

That no revocation and no rotation lies between but those of the file is the exchange's word, which
a monitor of the log can refute. It is a statement of its own, of type ``hp-keys``, and no leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.merkle import TREE_SIZE_MAX
from schemas.cose import cbor, sign1
from schemas.cose.keys import Signer
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind
from schemas.limits import DIGEST_BYTES

TYPE_TEXT = "hp-keys"

STATUS_KINDS = (Kind.REVOCATION, Kind.DEVICE_KEY, Kind.ORG_KEY)
"""Kinds of the statements that a key status names: keys, and what revoked them."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """SHA-256 of the key statements (``STATUS_KINDS``) of a file in its order; a tree size."""

    keys: tuple[bytes, ...]
    tree_size: int


def sign_key_status(status: KeyStatus, signer: Signer, *, issuer: str, origin: str) -> bytes:
    """The statement, signed by the exchange's organisation key."""
    return sign1.sign(
        signer,
        issuer=issuer,
        subject=origin,
        origin=origin,
        type_text=TYPE_TEXT,
        payload=cbor.encode([list(status.keys), status.tree_size]),
    )


def read_key_status(statement: sign1.Statement) -> KeyStatus:
    """The payload of a key status; ``StatementRefused`` when it is none."""
    if statement.header.type != TYPE_TEXT:
        raise StatementRefused(Reason.WRONG_TYPE, "not a key status")
    keys, tree_size = cbor.take_list(cbor.decode(statement.payload), "a key status", 2)
    return KeyStatus(
        keys=_read_keys(cbor.take_list(keys, "the keys")),
        tree_size=cbor.take_uint(tree_size, "the tree size", TREE_SIZE_MAX),
    )


def _read_keys(items: Sequence[object]) -> tuple[bytes, ...]:
    return tuple(cbor.take_bytes(item, "a digest", DIGEST_BYTES) for item in items)
