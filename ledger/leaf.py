"""The log entry of a statement: CBOR ``[kind, SHA-256(statement)]`` (DESIGN section 4)."""

from collections.abc import Iterable
from hashlib import sha256

_DIGEST_BYTES = 32
_KIND_MAX = 255


def leaf_entry(kind: int, digest: bytes) -> bytes:
    """Entry bytes of a statement's kind (1 to 255) and the SHA-256 of its bytes.

    ``ValueError`` for another kind or digest length.
    """
    if len(digest) != _DIGEST_BYTES:
        raise ValueError("a digest is 32 bytes")
    return _prefix(kind) + digest


def parse_entry(entry: bytes) -> tuple[int, bytes]:
    """Kind and digest of an entry; ``ValueError`` for bytes that ``leaf_entry`` does not make."""
    digest = entry[-_DIGEST_BYTES:]
    kind = entry[-_DIGEST_BYTES - 3] if len(entry) > _DIGEST_BYTES + 3 else 0
    if kind == 0 or leaf_entry(kind, digest) != entry:
        raise ValueError("not the entry of a statement")
    return kind, digest


def statement_leaf_hash(kind: int, digest: bytes) -> bytes:
    """Leaf hash (RFC 9162) of a statement's entry."""
    return sha256(b"\x00" + leaf_entry(kind, digest)).digest()


def statement_leaf_hashes(leaves: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """Leaf hashes of many (kind, digest) in order; ``ValueError`` as for ``leaf_entry``."""
    prefixes: dict[int, bytes] = {}
    hash_of = sha256
    hashes = []
    for kind, digest in leaves:
        prefix = prefixes.get(kind)
        if prefix is None:
            prefix = prefixes[kind] = b"\x00" + _prefix(kind)
        if len(digest) != _DIGEST_BYTES:
            raise ValueError("a digest is 32 bytes")
        hashes.append(hash_of(prefix + digest).digest())
    return hashes


def _prefix(kind: int) -> bytes:
    if not 1 <= kind <= _KIND_MAX:
        raise ValueError("a kind is 1 to 255")
    number = bytes([kind]) if kind < 24 else bytes([0x18, kind])
    return b"\x82" + number + b"\x58\x20"
