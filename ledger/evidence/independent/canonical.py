"""RFC 8949 section 4.2.1 from its text: the one encoding of a value, and reading only that."""

from typing import Any

import cbor2

_DEPTH_MAX = 16


class Refused(Exception):
    """A reason, by the codes of ``docs/evidence.md``, and what was wrong."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def encoded(value: Any) -> bytes:
    """Bytes of an integer, byte or text string, array or map; ``TypeError`` for others."""
    if type(value) is int:
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if type(value) is bytes:
        return _head(2, len(value)) + value
    if type(value) is str:
        text = value.encode()
        return _head(3, len(text)) + text
    if type(value) is list:
        return _head(4, len(value)) + b"".join(encoded(item) for item in value)
    if type(value) is dict:
        pairs = sorted((encoded(key), encoded(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise TypeError("no such type in signed bytes")


def decoded(data: bytes, code: str, what: str) -> Any:
    """The value that these bytes are the one encoding of; ``Refused(code)`` when there is none."""
    try:
        value = cbor2.loads(
            data, allow_indefinite=False, allow_duplicate_keys=False, max_depth=_DEPTH_MAX
        )
        same = encoded(value) == data
    except Exception as error:
        # A hostile item can make a decoder raise anything; whatever it is, the item is refused.
        raise Refused(code, f"{what} is not CBOR of the right form") from error
    if not same:
        raise Refused(code, f"{what} is not in the one encoding of its value")
    return value


def shaped(value: Any, code: str, what: str, *types: type) -> list[Any]:
    """An array whose items have exactly these types, as a list."""
    if type(value) is not list or [type(item) for item in value] != list(types):
        raise Refused(code, f"{what} is not an array of the right items")
    return value


def fields(
    value: Any, code: str, what: str, needed: dict[int, type], others: dict[int, type] | None = None
) -> dict[int, Any]:
    """A map with exactly the needed keys, and possibly the others, each of its type."""
    known = needed | (others or {})
    if type(value) is not dict or not set(needed) <= set(value) <= set(known):
        raise Refused(code, f"{what} has other keys than its kind")
    for key, item in value.items():
        if type(key) is not int or type(item) is not known[key]:
            raise Refused(code, f"key {key} of {what} is of another type")
    return value


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for extra, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * length:
            return bytes([major << 5 | extra]) + number.to_bytes(length, "big")
    raise TypeError("no integer past 64 bits")
