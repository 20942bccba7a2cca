"""The port that every source implements, and the bounded lane that it fills.

A source decodes what it hears and delivers batches of observations. It returns when the recording
or receiver has ended in order, and raises ``SourceLost`` when it can no longer hear.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from edge_agent.observation import Observation
from edge_agent.timebase import Timebase

LANE_BATCHES_MAX = 256
MARK_WAIT_S = 5.0
QUIET_S = 3.0
"""How long a source may still talk, or be silent, after the end of the recording was marked."""


class SourceLost(Exception):
    """A source cannot be reached, or broke off; trying again may help."""


class SourceUrlRefused(ValueError):
    """A source's address that means nothing here; trying again will not help."""


@dataclass(slots=True)
class EndMark:
    """Whether the recording was said to be over (``$PHLPEND`` on the receiver's line)."""

    expected: bool
    """A source that can say so is configured; else a plain close counts when ``replayed``."""
    replayed: bool
    event: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_set(self) -> bool:
        """The end was marked."""
        return self.event.is_set()

    async def closed_in_order(self) -> bool:
        """A source's connection was closed by the other side: was that the recording's end?"""
        if not self.expected:
            return self.replayed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MARK_WAIT_S):
                await self.event.wait()
        return self.event.is_set()


class Batch(NamedTuple):
    """Observations in order of arrival, and how far the source's own time has come with them."""

    observations: tuple[Observation, ...]
    until_ms: float | None


Deliver = Callable[[Batch], Awaitable[None]]


class Source(Protocol):
    """One bus or receiver."""

    @property
    def name(self) -> str:
        """What logs and errors call it."""

    async def run(self, deliver: Deliver) -> None:
        """Deliver until the source ends in order; ``SourceLost`` when it breaks off."""


@dataclass(slots=True)
class Lane:
    """What one source has delivered and nobody has taken yet, and the time line it is on.

    A replayed source waits for room, so that nothing of a drive is lost at any speed; a live one
    does not wait: its batch is dropped and counted.
    """

    name: str
    timebase: Timebase
    waits: bool
    dropped: int = 0
    queue: asyncio.Queue[Batch | None] = field(
        default_factory=lambda: asyncio.Queue(LANE_BATCHES_MAX)
    )

    async def deliver(self, batch: Batch) -> None:
        """Queue a batch, or drop it when a live lane is full."""
        if self.waits:
            await self.queue.put(batch)
            return
        try:
            self.queue.put_nowait(batch)
        except asyncio.QueueFull:
            self.dropped += len(batch.observations)

    async def close(self) -> None:
        """No more batches will come."""
        await self.queue.put(None)
