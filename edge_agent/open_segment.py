"""The segment that is still being filled: its samples and events, and when it must be cut. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.sampler import Sample
from edge_agent.timebase import ClockQuality
from schemas.cose import cbor
from schemas.limits import EVENT_DETAIL_BYTES_MAX, EVENTS_MAX, SAMPLES_MAX, SIGNALS_MAX
from schemas.segment import SegmentEvent

SAMPLES_DEFAULT = 60
SILENCE_CUT_MS = 30_000
"""A silence this long ends a segment: what was measured before it need not wait for its end."""

_BLOCK_BYTES_MAX = 60_000
"""Leaves room for events and headers within the limit of a whole statement."""

_CELL_BYTES_MAX = 8
_COLUMN_BYTES = 24


@dataclass(slots=True)
class OpenSegment:
    """Samples of one boot from ``t0`` (UTC ms) and ``mono`` (ms since the start) on."""

    boot: bytes
    seq: int
    t0: int
    mono: int
    clock: ClockQuality
    gap_from_ms: int | None = None
    """The last sample before this start, while the gap after it is not signed yet."""
    samples: list[Sample] = field(default_factory=list)
    events: list[SegmentEvent] = field(default_factory=list)
    signals: set[int] = field(default_factory=set)

    @property
    def last_ms(self) -> int:
        """UTC ms of the newest sample, ``t0`` without one."""
        return self.samples[-1].t_ms if self.samples else self.t0

    def must_cut_before(self, sample: Sample, samples_max: int) -> bool:
        """Whether this segment has to be sealed before the sample can be taken."""
        n = len(self.samples) + 1
        if n > min(samples_max, SAMPLES_MAX):
            return True
        if self.samples and not 0 < sample.t_ms - self.last_ms < SILENCE_CUT_MS:
            return True
        signals = len(self.signals | sample.cells.keys())
        return signals > SIGNALS_MAX or _bytes_at_most(n, signals) > _BLOCK_BYTES_MAX

    def must_cut_before_event(self, detail: Mapping[int, int | str | bytes]) -> bool:
        """Whether this segment has to be sealed before an event with this detail can be taken."""
        details = [*(event.detail for event in self.events), detail]
        size = sum(len(cbor.encode(item)) for item in details)
        return len(details) > EVENTS_MAX or size > EVENT_DETAIL_BYTES_MAX

    def add(self, sample: Sample) -> None:
        """Take the next sample."""
        self.samples.append(sample)
        self.signals |= sample.cells.keys()

    def rebase(self, step_ms: int, clock: ClockQuality) -> None:
        """The clock was wrong by ``step_ms`` since this segment was opened, and is now right."""
        self.t0 += step_ms
        self.clock = clock
        self.samples = [Sample(s.t_ms + step_ms, s.cells) for s in self.samples]


def _bytes_at_most(n: int, signals: int) -> int:
    return signals * (n * _CELL_BYTES_MAX + _COLUMN_BYTES) + n * _CELL_BYTES_MAX + _COLUMN_BYTES
