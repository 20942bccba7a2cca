"""A trip (kind 3): content, which anyone can derive again, and provenance, which says from what.

Issuer: the exchange's organisation; subject: the vehicle's pseudonym.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from schemas.cose import cbor
from schemas.errors import malformed
from schemas.limits import (
    DIGEST_BYTES,
    SALT_BYTES,
    TIME_MS_MAX,
    TRIP_BINDINGS_MAX,
    TRIP_DIGESTS_MAX,
    TRIP_DIGESTS_WRITTEN_MAX,
    TRIP_FAULTS_MAX,
    TRIP_ID_BYTES,
    TRIP_INPUTS_MAX,
    TRIP_SUPERSEDES_MAX,
)
from schemas.statements.trip_content import TripContent, read_content

VERSION = 1

_MANDATORY = (1, 2, 3, 4, 5, 6, 7)
_OPTIONAL = (8,)


class ChainFault(IntEnum):
    """What is wrong with a device's chain of statements at one of them."""

    BREAK = 1
    """Its predecessor is not among the statements read."""
    MISSING = 2
    """Statements of the same boot between it and the one before are not there."""
    FORK = 3
    """Another statement claims the same predecessor."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which statements a trip was derived from, and what their order says. Indices are leaves."""

    revision: int
    """1 for the first statement of a trip id."""
    supersedes: tuple[tuple[bytes, int], ...]
    """Trip id and revision of every trip that this one replaces."""
    inputs: tuple[int, ...]
    """Indices of the segments and gaps read, ascending."""
    digests: tuple[bytes, ...]
    """``group_digests`` of those statements."""
    faults: tuple[tuple[int, ChainFault], ...]
    """Index of a statement, and what is wrong with the chain there."""
    flags: Mapping[int, int] = field(default_factory=dict)
    """Flag of segments (1 recovered, 2 event, 4 private) and how many of those read bear it."""
    watermark: tuple[int, int] | None = None
    """Index and time of the watermark that a no-data end rests on."""
    bindings: tuple[int, ...] = ()
    """Indices of the bindings."""

    def fields(self) -> dict[int, object]:
        """The provenance map; indices as steps, each from the one before."""
        fields: dict[int, object] = {
            1: self.revision,
            2: [list(pair) for pair in self.supersedes],
            3: _steps(self.inputs),
            4: b"".join(self.digests),
            5: [[index, int(fault)] for index, fault in self.faults],
            6: dict(self.flags),
            7: _steps(self.bindings),
        }
        if self.watermark is not None:
            fields[8] = list(self.watermark)
        return fields

    def matches(self, digests: Sequence[bytes]) -> bool:
        """Whether these are the digests of ``inputs``, in their order."""
        if len(digests) != len(self.inputs) or not self.digests:
            return not digests and not self.inputs
        return group_digests(digests, len(self.digests)) == self.digests


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip's statement."""

    content: TripContent
    provenance: Provenance
    salt: bytes

    def encode(self) -> bytes:
        """The payload's bytes."""
        return cbor.encode(
            {
                1: VERSION,
                2: self.content.fields(),
                3: self.provenance.fields(),
                4: self.content.digest,
                9: self.salt,
            }
        )


def decode(payload: bytes) -> Trip:
    """Read a trip's payload; ``StatementRefused`` when it is none or its digest is another's."""
    fields = cbor.take_map(cbor.decode(payload), "a trip", (1, 2, 3, 4, 9))
    cbor.take_version(fields[1], "a trip", VERSION)
    trip = Trip(
        content=read_content(fields[2]),
        provenance=_read_provenance(fields[3]),
        salt=cbor.take_bytes(fields[9], "the salt", SALT_BYTES),
    )
    if cbor.take_bytes(fields[4], "the content's digest", DIGEST_BYTES) != trip.content.digest:
        raise malformed("the content's digest is that of another content")
    return trip


def group_digests(
    digests: Sequence[bytes], at_most: int = TRIP_DIGESTS_WRITTEN_MAX
) -> tuple[bytes, ...]:
    """At most so many digests that fix all of these and their order.

    Up to that many they are themselves; beyond, each is SHA-256 over the next 2, 4, 8… of them.
    """
    size = _group_size(len(digests), at_most)
    if size == 1:
        return tuple(digests)
    starts = range(0, len(digests), size)
    return tuple(
        hashlib.sha256(b"".join(digests[start : start + size])).digest() for start in starts
    )


def _group_size(inputs: int, at_most: int) -> int:
    """The smallest power of two of which ``at_most`` groups hold all inputs."""
    size = 1
    while size * at_most < inputs:
        size *= 2
    return size


def _steps(indices: Sequence[int]) -> list[int]:
    return [here - before for before, here in zip((0, *indices), indices, strict=False)]


def _read_steps(value: object, name: str, longest: int) -> tuple[int, ...]:
    steps = cbor.take_list(value, name)
    if len(steps) > longest:
        raise malformed(f"more than {longest} {name}")
    indices: list[int] = []
    for step in steps:
        previous = indices[-1] if indices else 0
        if cbor.take_uint(step, name) == 0 and indices:
            raise malformed(f"the same index twice in {name}")
        indices.append(previous + step)
    return tuple(indices)


def _read_provenance(value: object) -> Provenance:
    fields = cbor.take_map(value, "the provenance of a trip", _MANDATORY, _OPTIONAL)
    inputs = _read_steps(fields[3], "inputs", TRIP_INPUTS_MAX)
    revision = cbor.take_uint(fields[1], "the revision")
    if revision == 0:
        raise malformed("revisions count from 1")
    return Provenance(
        revision=revision,
        supersedes=_read_supersedes(fields[2]),
        inputs=inputs,
        digests=_read_digests(fields[4], len(inputs)),
        faults=_read_faults(fields[5]),
        flags=_read_flags(fields[6]),
        watermark=_read_watermark(fields[8]) if 8 in fields else None,
        bindings=_read_steps(fields[7], "bindings", TRIP_BINDINGS_MAX),
    )


def _read_supersedes(value: object) -> tuple[tuple[bytes, int], ...]:
    items = cbor.take_list(value, "the superseded trips")
    if len(items) > TRIP_SUPERSEDES_MAX:
        raise malformed(f"more than {TRIP_SUPERSEDES_MAX} superseded trips")
    pairs = [cbor.take_list(item, "a superseded trip", 2) for item in items]
    return tuple(
        (
            cbor.take_bytes(trip_id, "a superseded trip's id", TRIP_ID_BYTES),
            cbor.take_uint(revision, "a superseded trip's revision"),
        )
        for trip_id, revision in pairs
    )


def _read_digests(value: object, inputs: int) -> tuple[bytes, ...]:
    joined = cbor.take_bytes(value, "the digests of the inputs")
    count = len(joined) // DIGEST_BYTES
    if not count <= TRIP_DIGESTS_MAX or bool(count) != bool(inputs):
        raise malformed(f"not 1 to {TRIP_DIGESTS_MAX} digests of inputs")
    groups = -(-inputs // _group_size(inputs, count)) if count else 0
    if len(joined) != groups * DIGEST_BYTES:
        raise malformed("not one digest for each input or group of inputs")
    return tuple(joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES))


def _read_faults(value: object) -> tuple[tuple[int, ChainFault], ...]:
    items = cbor.take_list(value, "the faults of chains")
    if len(items) > TRIP_FAULTS_MAX:
        raise malformed(f"more than {TRIP_FAULTS_MAX} faults of chains")
    found = []
    for item in items:
        index, fault = cbor.take_list(item, "a fault of a chain", 2)
        if type(fault) is not int or fault not in {known.value for known in ChainFault}:
            raise malformed("a fault of a chain that no version knows")
        found.append((cbor.take_uint(index, "the place of a fault"), ChainFault(fault)))
    return tuple(found)


def _read_flags(value: object) -> dict[int, int]:
    fields = cbor.take_map(value, "the flags of segments", (), (1, 2, 4))
    return {flag: cbor.take_uint(count, "a count of flags") for flag, count in fields.items()}


def _read_watermark(value: object) -> tuple[int, int]:
    index, at_ms = cbor.take_list(value, "the watermark", 2)
    return (
        cbor.take_uint(index, "the watermark's index"),
        cbor.take_uint(at_ms, "the watermark's time", TIME_MS_MAX),
    )
