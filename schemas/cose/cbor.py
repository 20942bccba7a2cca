"""Deterministic CBOR (RFC 8949 section 4.2.1): one encoding for each value that is signed.

Values are integers, byte and text strings, ``null``, booleans, arrays, maps with integer keys, and
the tags a reader names. Floats, indefinite lengths and duplicate keys do not exist in signed bytes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import cbor2

from schemas.errors import Reason, StatementRefused, malformed
from schemas.limits import CBOR_DEPTH_MAX, INT64_MAX

_SHARED = (25, 28, 29, 256)
"""Tags by which an item is written once and meant twice: shorter than any deterministic form."""

_BYTES_HEAD = 0x40
_INT_MIN = -(2**64)
_INT_MAX = 2**64 - 1


def encode(value: object) -> bytes:
    """The one encoding of a value; ``TypeError`` for a type that signed bytes do not have."""
    return cbor2.dumps(_ordered(value))


def encode_ordered(value: object) -> bytes:
    """``encode`` for a value of the right types whose maps are in order as they are written down.

    For messages of a fixed form, which an exchange makes one of for every segment.
    """
    return cbor2.dumps(value)


def decode(data: bytes, *, tags: Collection[int] = ()) -> Any:
    """The value of its one encoding; ``StatementRefused(malformed)`` for any other bytes."""
    value = decode_exact(data)
    _check(value, tags)
    return value


def decode_exact(data: bytes) -> Any:
    """Decode bytes that encode again to themselves, without looking at types or the order of keys.

    For readers that name every type and key order themselves: a float or a map out of order passes
    here. ``StatementRefused(malformed)`` otherwise.
    """
    try:
        value = cbor2.loads(
            data, allow_indefinite=False, allow_duplicate_keys=False, max_depth=CBOR_DEPTH_MAX
        )
        same = cbor2.dumps(value) == data
    except (cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, TypeError, OverflowError):
        raise malformed("not one deterministic CBOR item") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError):
        raise malformed("a CBOR item that cannot be decoded") from None
    if not same:
        raise malformed("not the deterministic encoding of its value")
    return value


def load(data: bytes) -> Any:
    """Decode one item whose reader judges the encoding itself, by types and length.

    Indefinite lengths, duplicate keys and shared items are refused, so that no encoding is shorter
    than the deterministic one; bytes after the item are not looked at: the length tells of them.
    """
    try:
        return cbor2.loads(
            data,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            max_depth=CBOR_DEPTH_MAX,
            semantic_decoders=_NOT_SHARED,
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError):
        raise malformed("not one deterministic CBOR item") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError):
        raise malformed("a CBOR item that cannot be decoded") from None


def byte_string(data: bytes, at: int) -> tuple[bytes, int]:
    """The byte string that begins at ``at``, and where it ends; ``StatementRefused(malformed)``.

    For frames of a fixed form, which are read without decoding them: the head is the shortest.
    """
    info = data[at] - _BYTES_HEAD if at < len(data) else -1
    if not 0 <= info <= 26:
        raise malformed("a byte string is missing, or of a length past any limit")
    start, size = at + 1, info
    if info >= 24:
        start += 1 << info - 24
        size = int.from_bytes(data[at + 1 : start], "big")
        if at + head_bytes(size) != start:
            raise malformed("a length that is not in its shortest form")
    end = start + size
    if end > len(data):
        raise malformed("a byte string is cut short")
    return data[start:end], end


def head_bytes(number: int) -> int:
    """How long an integer's shortest encoding is, or the head of a string or array so long."""
    if number < 0:
        number = -1 - number
    if number < 24:
        return 1
    if number < 0x1_0000:
        return 2 if number < 0x100 else 3
    return 5 if number < 0x1_0000_0000 else 9


def require_ascending(keys: Iterable[object], name: str) -> None:
    """Unsigned keys in their order, for readers of ``decode_exact``, which looks at neither."""
    previous = -1
    for key in keys:
        if type(key) is not int or not previous < key <= INT64_MAX:
            raise malformed(f"the keys of {name} are not unsigned integers in ascending order")
        previous = key


def take_version(value: object, name: str, version: int = 1) -> None:
    """Nothing when this is the version, ``StatementRefused`` (unsupported, malformed) otherwise."""
    if take_uint(value, f"the version of {name}") != version:
        raise StatementRefused(Reason.UNSUPPORTED, f"{name} of another version")


def take_uint(value: object, name: str, largest: int = INT64_MAX) -> int:
    """An unsigned integer up to ``largest``, or ``StatementRefused`` that names the field."""
    if type(value) is not int or not 0 <= value <= largest:
        raise malformed(f"{name} is not an integer from 0 to {largest}")
    return value


def take_bytes(value: object, name: str, length: int | None = None) -> bytes:
    """A byte string (of ``length`` bytes when given), or ``StatementRefused(malformed)``."""
    if type(value) is not bytes or (length is not None and len(value) != length):
        raise malformed(f"{name} is not a byte string" + (f" of {length}" if length else ""))
    return value


def take_text(value: object, name: str, longest: int = 128) -> str:
    """A text string of 1 to ``longest`` characters, or ``StatementRefused(malformed)``."""
    if type(value) is not str or not 0 < len(value) <= longest:
        raise malformed(f"{name} is not a text of 1 to {longest} characters")
    return value


def take_map(
    value: object, name: str, mandatory: Collection[int], optional: Collection[int] = ()
) -> dict[int, Any]:
    """A map with exactly the keys named, or ``StatementRefused(malformed)``."""
    if type(value) is not dict:
        raise malformed(f"{name} is not a map")
    missing = [key for key in mandatory if key not in value]
    if missing:
        raise malformed(f"{name} lacks key {missing[0]}")
    for key in value:
        if key not in mandatory and key not in optional:
            raise malformed(f"{name} has a key that no version of it knows")
    return value


def take_list(value: object, name: str, length: int | None = None) -> list[Any]:
    """An array (of ``length`` items when given), or ``StatementRefused(malformed)``."""
    if type(value) is not list or (length is not None and len(value) != length):
        raise malformed(f"{name} is not an array" + (f" of {length}" if length else ""))
    return value


def _refuse_shared(_decoder: Any, _immutable: bool) -> Any:
    raise malformed("shared items in CBOR")


_NOT_SHARED = dict.fromkeys(_SHARED, _refuse_shared)


def _ordered(value: object) -> object:
    if type(value) is int and _INT_MIN <= value <= _INT_MAX:
        return value
    if value is None or isinstance(value, bytes | str | bool):
        return value
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, _ordered(value.value))
    if isinstance(value, Mapping):
        pairs = sorted((cbor2.dumps(_key(key)), key, item) for key, item in value.items())
        return {key: _ordered(item) for _, key, item in pairs}
    if isinstance(value, Sequence):
        return [_ordered(item) for item in value]
    raise TypeError(f"signed bytes have no {type(value).__name__}")


def _key(key: object) -> int:
    if type(key) is not int:
        raise TypeError("keys of signed maps are integers")
    return key


def _check(value: object, tags: Collection[int]) -> None:
    kind = type(value)
    if kind is bytes or kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not _INT_MIN <= value <= _INT_MAX:  # type: ignore[operator]
            raise malformed("an integer past 64 bits")
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _check(item, tags)
    elif kind is dict:
        _check_map(value, tags)  # type: ignore[arg-type]
    elif isinstance(value, cbor2.CBORTag) and value.tag in tags:
        _check(value.value, tags)
    else:
        raise malformed(f"signed bytes have no {kind.__name__}")


def _check_map(value: dict[object, object], tags: Collection[int]) -> None:
    previous = b""
    for key, item in value.items():
        if type(key) is not int:
            raise malformed("a map key is not an integer")
        encoded = cbor2.dumps(key)
        if encoded <= previous:
            raise malformed("the keys of a map are not in ascending order")
        previous = encoded
        _check(item, tags)
