"""Signed statements inside JSON: base64url without padding, in its one form."""

import base64
import binascii

from schemas.errors import malformed


def statement_bytes(text: str) -> bytes:
    """The bytes of a text; ``StatementRefused(malformed)`` when it is none."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise malformed("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise malformed("not the one base64url form of its bytes")
    return raw


def statement_text(raw: bytes) -> str:
    """The text of a statement's bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
