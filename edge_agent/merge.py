"""Lanes to one stream of observations: by their own time in a replay, as they come on a live bus.

In a replay a second may be closed only when every source has passed it, at any speed; so the
earliest observation of all lanes goes first, and a lane that has nothing to offer is waited for,
but not longer than ``SILENCE_S`` of real time, for a receiver may be silent.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from edge_agent.observation import Observation
from edge_agent.sources.port import Batch, Lane
from edge_agent.timebase import UNVOUCHED

SILENCE_S = 2.0
SAME_CLOCK_MS = 120_000
"""Two sources further apart than this are not on one clock: the receiver's UTC is right."""

ALIGNED_UNCERTAINTY_MS = 10_000
"""What aligning two lines by their arrival alone may be wrong by."""


@dataclass(slots=True)
class _Waiting:
    lane: Lane
    head: deque[Observation] = field(default_factory=deque)
    silent: bool = False
    ended: bool = False

    def take(self, batch: Batch | None) -> None:
        self.silent = False
        if batch is None:
            self.ended = True
            return
        self.head.extend(batch.observations)
        if batch.until_ms is not None:
            self.head.append(Observation(batch.until_ms))

    def utc_ms(self) -> float:
        return self.lane.timebase.utc_ms(self.head[0].stamp_ms)


async def in_order_of_time(
    lanes: Sequence[Lane], silence_s: float = SILENCE_S
) -> AsyncIterator[tuple[Lane, Observation]]:
    """Observations of replayed sources, earliest first, until every lane is closed."""
    waiting = [_Waiting(lane) for lane in lanes]
    aligned = len(waiting) < 2
    while True:
        await _fill(waiting, silence_s)
        ready = [w for w in waiting if w.head]
        if not ready:
            if all(w.ended for w in waiting):
                return
            continue
        if not aligned and len(ready) == len(waiting):
            aligned = True
            _align(ready)
        first = min(ready, key=_Waiting.utc_ms)
        yield first.lane, first.head.popleft()


async def in_order_of_arrival(
    lanes: Sequence[Lane], tick_s: float
) -> AsyncIterator[tuple[Lane, Observation] | None]:
    """Observations of live sources as they come; None at least every ``tick_s`` of silence."""
    waiting = [_Waiting(lane) for lane in lanes]
    while not all(w.ended for w in waiting):
        if not await _any(waiting, tick_s):
            yield None
        for w in waiting:
            while w.head:
                yield w.lane, w.head.popleft()


async def _fill(waiting: Sequence[_Waiting], silence_s: float) -> None:
    """Wait until each lane has a head, has ended, or is known to be silent."""
    for w in waiting:
        while not w.head and not w.ended and not w.lane.queue.empty():
            w.take(w.lane.queue.get_nowait())
    missing = [w for w in waiting if not (w.head or w.ended or w.silent)]
    if missing or not any(w.head for w in waiting):
        if await _any(waiting, silence_s, only_empty=True):
            return
        for w in missing:
            w.silent = True


async def _any(waiting: Sequence[_Waiting], timeout_s: float, only_empty: bool = False) -> bool:
    """Take what arrives next on any open lane; False when nothing did within the time."""
    open_lanes = [w for w in waiting if not w.ended and not (only_empty and w.head)]
    if not open_lanes:
        return True
    tasks = {asyncio.ensure_future(w.lane.queue.get()): w for w in open_lanes}
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, w in tasks.items():
            if not task.cancel() and not task.cancelled():
                w.take(task.result())
    return bool(done)


def _align(waiting: Sequence[_Waiting]) -> None:
    """Put a bus whose clock is plainly wrong beside a receiver's UTC."""
    vouched = [w for w in waiting if w.head[0].gnss_ms is not None or w.head[0].epoch_ms]
    if not vouched:
        return
    utc_ms = vouched[0].utc_ms()
    for w in waiting:
        apart = utc_ms - w.utc_ms()
        if w.lane.timebase.quality == UNVOUCHED and abs(apart) > SAME_CLOCK_MS:
            timebase = w.lane.timebase
            timebase.step_to(timebase.offset_ms + apart, ALIGNED_UNCERTAINTY_MS)
