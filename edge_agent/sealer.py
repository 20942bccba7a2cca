"""Signing: an open segment becomes the statements that say what is in it.

One open segment may need several: the gap before a start, the samples, those of class *driver*
apart (DESIGN section 3, key 14), and a gap for what a full outbox drops. They take consecutive
sequence numbers and hang on one ``prev`` chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from edge_agent.open_segment import OpenSegment
from edge_agent.sampler import SECOND_MS, Sample
from schemas.catalogue import SIGNALS
from schemas.columns import Column, encode_column
from schemas.cose import sign1
from schemas.cose.keys import Signer
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.samples import Block
from schemas.segment import Segment, SegmentEvent, seal_segment
from schemas.statements.gap import CAUSE_DROPPED, CAUSE_RESTART, Gap

_DRIVER_SIGNALS = frozenset(signal.id for signal in SIGNALS.values() if signal.driver)


class Sealed(NamedTuple):
    """A signed statement on its way into the outbox; times in UTC ms of what it covers."""

    kind: Kind
    boot: bytes
    seq: int
    raw: bytes
    digest: bytes
    from_ms: int
    to_ms: int

    @property
    def covers(self) -> tuple[int, int]:
        """First and last time."""
        return self.from_ms, self.to_ms


class Dropped(NamedTuple):
    """What a full outbox gives up: the first and the last sample's time."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs, for which vehicle, for which log."""

    signer: Signer
    issuer: str
    vehicle: str
    origin: str


@dataclass(frozen=True, slots=True)
class Sealer:
    """``random_bytes`` gives salts."""

    identity: Identity
    random_bytes: Callable[[int], bytes]

    def seal(
        self, opened: OpenSegment, prev: bytes, flags: int, dropped: Dropped | None = None
    ) -> list[Sealed]:
        """The statements of an open segment, in their order; ``prev`` is the digest before them."""
        sealed: list[Sealed] = []

        def chain() -> tuple[int, bytes]:
            return opened.seq + len(sealed), sealed[-1].digest if sealed else prev

        if opened.gap_from_ms is not None:
            begin = min(opened.gap_from_ms, opened.t0)
            sealed.append(self._gap(opened, chain(), begin, opened.t0, CAUSE_RESTART))
        for part in split(opened):
            sealed.append(self._segment(opened, part, chain(), flags))
        if dropped is not None:
            begin, end = max(dropped.from_ms - 1, 0), dropped.to_ms + 1
            sealed.append(self._gap(opened, chain(), begin, end, CAUSE_DROPPED))
        return sealed

    def _segment(
        self, opened: OpenSegment, part: "Part", chain: tuple[int, bytes], flags: int
    ) -> Sealed:
        t0 = part.samples[0].t_ms
        seq, prev = chain
        segment = Segment(
            boot=opened.boot,
            seq=seq,
            prev=prev,
            t0=t0,
            block=block_of(part.samples),
            events=tuple(
                SegmentEvent(opened.t0 + e.offset_ms - t0, e.event_id, e.detail)
                for e in part.events
            ),
            clock=opened.clock,
            salt=self.random_bytes(SALT_BYTES),
            mono=opened.mono + t0 - opened.t0,
            flags=flags,
            driver_class=part.driver,
        )
        identity = self.identity
        sealed = seal_segment(
            segment,
            identity.signer,
            issuer=identity.issuer,
            vehicle=identity.vehicle,
            origin=identity.origin,
        )
        last_ms = part.samples[-1].t_ms
        return Sealed(Kind.SEGMENT, opened.boot, seq, sealed.raw, sealed.digest, t0, last_ms)

    def _gap(
        self, opened: OpenSegment, chain: tuple[int, bytes], begin: int, end: int, cause: int
    ) -> Sealed:
        seq, prev = chain
        salt = self.random_bytes(SALT_BYTES)
        gap = Gap(opened.boot, seq, prev, begin, end, cause, opened.clock, salt)
        identity = self.identity
        raw = sign1.sign(
            identity.signer,
            issuer=identity.issuer,
            subject=identity.vehicle,
            origin=identity.origin,
            type_text=TYPE_TEXT[Kind.GAP],
            payload=gap.encode(),
        )
        digest = sign1.parse(raw).digest
        return Sealed(Kind.GAP, opened.boot, seq, raw, digest, begin, end)


class Part(NamedTuple):
    """What goes into one segment."""

    samples: Sequence[Sample]
    events: Sequence[SegmentEvent]
    driver: bool


def split(opened: OpenSegment) -> list[Part]:
    """An open segment's parts: what the vehicle did, then what is of class *driver*."""
    vehicle = _project(opened.samples, driver=False)
    driver = _project(opened.samples, driver=True)
    if opened.events and not vehicle:
        vehicle = [Sample(opened.last_ms, {})]
    parts = [Part(vehicle, opened.events, False)] if vehicle else []
    return [*parts, Part(driver, (), True)] if driver else parts


def block_of(samples: Sequence[Sample]) -> Block:
    """The columns of samples in ascending order of time; at least one."""
    t0 = samples[0].t_ms
    offsets = [sample.t_ms - t0 for sample in samples]
    steps = {later - earlier for earlier, later in pairwise(offsets)} or {SECOND_MS}
    signals = sorted({signal_id for sample in samples for signal_id in sample.cells})
    columns: dict[int, Column] = {}
    for signal_id in signals:
        column = encode_column([sample.cells.get(signal_id) for sample in samples])
        if column is not None:
            columns[signal_id] = column
    if len(steps) == 1:
        return Block(len(samples), steps.pop(), None, columns)
    return Block(len(samples), None, encode_column(offsets), columns)


def _project(samples: Sequence[Sample], driver: bool) -> list[Sample]:
    projected = []
    for sample in samples:
        cells = {i: v for i, v in sample.cells.items() if (i in _DRIVER_SIGNALS) is driver}
        if cells:
            projected.append(Sample(sample.t_ms, cells))
    return projected
