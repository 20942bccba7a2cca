"""Long arrays as SQL parameters, in PostgreSQL's binary form, made in one go.

psycopg's own way goes item by item through its adapters; for a batch of intake that costs as much
as the server's work. Each class is a ready parameter: ``conn.execute(sql, [Bigints(values)])``.
"""

from collections.abc import Iterable, Sequence
from struct import Struct

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = Struct(">iiIii")
_LENGTH = Struct(">i")
_BIGINT, _SMALLINT = Struct(">iq"), Struct(">ih")
_NULL = _LENGTH.pack(-1)
_DIMENSIONS, _LOWER_BOUND = 1, 1


class _Array(bytes):
    """The value of a parameter, ready to be sent."""


class Bigints(_Array):
    """``bigint[]``, None as NULL."""

    def __new__(cls, values: Sequence[int | None]) -> "Bigints":
        items = [_NULL if value is None else _BIGINT.pack(8, value) for value in values]
        return super().__new__(cls, _encoded("int8", len(values), items, None in values))


class Smallints(_Array):
    """``smallint[]``."""

    def __new__(cls, values: Sequence[int]) -> "Smallints":
        items = [_SMALLINT.pack(2, value) for value in values]
        return super().__new__(cls, _encoded("int2", len(values), items))


class Byteas(_Array):
    """``bytea[]``."""

    def __new__(cls, values: Sequence[bytes]) -> "Byteas":
        items = [part for value in values for part in (_LENGTH.pack(len(value)), value)]
        return super().__new__(cls, _encoded("bytea", len(values), items))


class Texts(_Array):
    """``text[]``; many equal values cost no more than one."""

    def __new__(cls, values: Sequence[str]) -> "Texts":
        known = {value: _text(value) for value in set(values)}
        items = [known[value] for value in values]
        return super().__new__(cls, _encoded("text", len(values), items))


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def _encoded(element: str, count: int, items: Iterable[bytes], has_null: bool = False) -> bytes:
    oid = psycopg.adapters.types[element].oid
    return b"".join([_HEADER.pack(_DIMENSIONS, has_null, oid, count, _LOWER_BOUND), *items])


def _register(array: type[_Array], element: str) -> None:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = psycopg.adapters.types[element].array_oid

        def dump(self, obj: bytes) -> bytes:
            return obj

    psycopg.adapters.register_dumper(array, ArrayDumper)


_register(Bigints, "int8")
_register(Smallints, "int2")
_register(Byteas, "bytea")
_register(Texts, "text")
