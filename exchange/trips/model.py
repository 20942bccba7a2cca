"""Which trips are new, which replace others, and what each was derived from. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exchange.derive.continuity import Link, chain_faults
from schemas.limits import TRIP_BINDINGS_MAX, TRIP_FAULTS_MAX, TRIP_INPUTS_MAX, TRIP_SUPERSEDES_MAX
from schemas.segment import FLAG_EVENT, FLAG_PRIVATE, FLAG_RECOVERED
from schemas.statements.trip import Provenance, group_digests
from schemas.statements.trip_content import TripContent

_FLAGS = (FLAG_RECOVERED, FLAG_EVENT, FLAG_PRIVATE)


class TooManyInputs(ValueError):
    """A trip rests on more statements than one record can name."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle by its carrier and the carrier's pseudonym for it."""

    carrier: str
    pseudonym: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A vehicle with data from ``from_ms`` on that trips do not know yet."""

    vehicle: Vehicle
    from_ms: int


@dataclass(frozen=True, slots=True)
class KnownTrip:
    """A committed trip that nothing has replaced. Times in UTC ms."""

    index: int
    trip_id: bytes
    revision: int
    start_ms: int
    end_ms: int
    content_digest: bytes

    def overlaps(self, content: TripContent) -> bool:
        """Whether both claim some of the same time."""
        return self.start_ms <= content.end[0] and content.start[0] <= self.end_ms


@dataclass(frozen=True, slots=True)
class Change:
    """A trip to commit: its revision, and the committed ones that it replaces."""

    content: TripContent
    revision: int
    replaced: tuple[KnownTrip, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A segment or gap of the vehicle, as provenance names it."""

    link: Link
    to_ms: int
    flags: int
    is_input: bool
    """False for what only the chain needs: driver-class segments, devices without binding."""


def changes(
    derived: Sequence[TripContent], known: Sequence[KnownTrip], revisions: Mapping[bytes, int]
) -> list[Change]:
    """What has to be committed so that the log says what was derived.

    ``known`` are the trips that stand, ``revisions`` the highest revision of each id ever
    committed. A trip whose content is committed already gives nothing.
    """
    standing = {(one.trip_id, one.content_digest) for one in known}
    digests = [content.digest for content in derived]
    confirmed = {
        (content.trip_id, digest)
        for content, digest in zip(derived, digests, strict=True)
        if (content.trip_id, digest) in standing
    }
    open_to_change = [one for one in known if (one.trip_id, one.content_digest) not in confirmed]
    return [
        Change(
            content,
            revisions.get(content.trip_id, 0) + 1,
            tuple(one for one in open_to_change if one.overlaps(content)),
        )
        for content, digest in zip(derived, digests, strict=True)
        if (content.trip_id, digest) not in confirmed
    ]


def provenance_of(
    change: Change, statements: Iterable[Statement], bindings: Sequence[int]
) -> Provenance:
    """What a trip was derived from; ``TooManyInputs`` when a record cannot name it all."""
    begin, end = change.content.window
    inside = [one for one in statements if one.link.from_ms <= end and one.to_ms >= begin]
    inputs = sorted((one for one in inside if one.is_input), key=lambda one: one.link.index)
    if len(inputs) > TRIP_INPUTS_MAX:
        raise TooManyInputs(f"{len(inputs)} statements; a trip names {TRIP_INPUTS_MAX} at most")
    flags = Counter(flag for one in inputs for flag in _FLAGS if one.flags & flag)
    replaced = [(one.trip_id, one.revision) for one in change.replaced]
    return Provenance(
        revision=change.revision,
        supersedes=tuple(replaced[:TRIP_SUPERSEDES_MAX]),
        inputs=tuple(one.link.index for one in inputs),
        digests=group_digests([one.link.digest for one in inputs]),
        faults=tuple(chain_faults(one.link for one in inside)[:TRIP_FAULTS_MAX]),
        flags=dict(flags),
        bindings=tuple(sorted(bindings)[:TRIP_BINDINGS_MAX]),
    )
