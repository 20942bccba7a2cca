"""An agent's outbox as somebody finds it who has never seen the agent: SQLite, CBOR, deflate.

Shares no code with agent and exchange; formats are those of DESIGN section 3.
"""

import hashlib
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

_WIDTHS = {72: "b", 77: "h", 78: "i", 79: "q"}
_GAP = "hp-gap"
_TYPE = 16
_BOOT, _SEQ, _PREV, _T0, _SAMPLES, _FROM, _TO, _MONO = 2, 3, 4, 5, 6, 5, 6, 12
_MS_PER_S = 1_000


class Torn(AssertionError):
    """What the outbox holds contradicts itself."""


@dataclass(frozen=True, slots=True)
class Found:
    """One signed statement of the outbox."""

    id: int
    digest: bytes
    raw: bytes
    state: str
    leaf: int | None


def outbox(folder: Path) -> list[Found]:
    """Every statement, in the order in which it was signed."""
    path = folder / "outbox.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as conn:
        if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'statement'").fetchone():
            return []
        rows = conn.execute(
            "SELECT id, digest, raw, state, leaf FROM statement"
            " WHERE state <> 'dropped' ORDER BY id"
        ).fetchall()
    return [Found(*row) for row in rows]


def check_chain(found: Sequence[Found]) -> None:
    """Each statement names the one before it, and no number was given twice; ``Torn`` if not."""
    prev, names = b"", set()
    for one in found:
        payload = _payload(one.raw)
        if hashlib.sha256(one.raw).digest() != one.digest:
            raise Torn(f"statement {one.id} is not what its digest says")
        if payload[_PREV] != prev:
            raise Torn(f"statement {one.id} does not follow the one before it")
        names.add((payload[_BOOT], payload[_SEQ]))
        prev = one.digest
    if len(names) != len(found):
        raise Torn("two statements bear one boot and seq")


def seconds_stated(found: Sequence[Found]) -> set[int]:
    """The seconds that samples or gaps cover; a second is named by its end."""
    stated: set[int] = set()
    for one in found:
        payload = _payload(one.raw)
        if _type_of(one.raw) == _GAP:
            stated.update(range(_second(payload[_FROM]), _second(payload[_TO]) + 1))
        else:
            stated.update(_second(payload[_T0] + offset) for offset in _offsets(payload[_SAMPLES]))
    return stated


@dataclass(frozen=True, slots=True)
class Times:
    """When a segment began: UTC as its agent believed, and ms since that agent's start."""

    boot: bytes
    t0_ms: int
    mono_ms: int


def times(found: Sequence[Found]) -> list[Times]:
    """The beginning of each segment, in order."""
    payloads = (_payload(one.raw) for one in found if _type_of(one.raw) != _GAP)
    return [Times(one[_BOOT], one[_T0], one[_MONO]) for one in payloads]


def gaps(found: Sequence[Found]) -> int:
    """How many gaps were signed."""
    return sum(_type_of(one.raw) == _GAP for one in found)


def _payload(raw: bytes) -> dict[int, Any]:
    payload: dict[int, Any] = cbor2.loads(cbor2.loads(raw).value[2])
    return payload


def _type_of(raw: bytes) -> str:
    return str(cbor2.loads(cbor2.loads(raw).value[0])[_TYPE])


def _offsets(samples: bytes) -> Iterator[int]:
    n, time, _ = cbor2.loads(zlib.decompress(samples, wbits=-15))
    if isinstance(time, int):
        yield from (time * place for place in range(n))
        return
    value, deltas = time[0], time[1]
    width = _WIDTHS[deltas.tag]
    for (delta,) in struct.iter_unpack(f"<{width}", deltas.value):
        value += delta
        yield value


def _second(time_ms: int) -> int:
    return -(-time_ms // _MS_PER_S)
