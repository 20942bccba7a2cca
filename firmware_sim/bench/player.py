"""Plays moments on the bench's two sockets: in order, at a pace, no faster than clients read.

A client that comes back continues where the drive is now; what was played while nobody heard it is
counted, not kept.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from firmware_sim.bench.listener import Listener
from firmware_sim.bench.moments import Moment
from firmware_sim.bench.pace import Pace
from firmware_sim.bench.socketcand import frame_message
from firmware_sim.nmea.sentences import end_sentence

BATCH_BYTES_MAX = 32_768
"""Moments that are due together are sent together, up to this size."""


class NobodyListens(RuntimeError):
    """No client came to a socket in time; its text is a sentence for the user."""


@dataclass(slots=True)
class Played:
    """What was sent, and what of it nobody was connected for."""

    frames: int = 0
    fixes: int = 0
    unheard_frames: int = 0
    unheard_fixes: int = 0


@dataclass(slots=True)
class _Batch:
    messages: bytearray = field(default_factory=bytearray)
    sentences: bytearray = field(default_factory=bytearray)
    frames: int = 0
    fixes: int = 0

    def add(self, moment: Moment) -> None:
        if moment.frame is not None:
            self.messages += frame_message(moment.frame)
            self.frames += 1
        if moment.sentences:
            self.sentences += moment.sentences
            self.fixes += 1

    @property
    def size(self) -> int:
        return len(self.messages) + len(self.sentences)


@dataclass(slots=True)
class Player:
    """One drive on one bench."""

    can: Listener
    nmea: Listener
    played: Played = field(default_factory=Played)

    async def wait_for_clients(self, timeout_s: float | None) -> None:
        """Return once both sockets have had a client; ``NobodyListens`` after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.can.first_client.wait()
                await self.nmea.first_client.wait()
        except TimeoutError:
            raise NobodyListens(
                f"Nobody connected to both sockets within {timeout_s:g} s: start the agent with "
                "the two addresses, or give --wait-timeout more seconds."
            ) from None

    async def play(
        self, moments: Iterable[Moment], pace: Pace, progress: Callable[[int], None]
    ) -> None:
        """Send every moment when it is due. ``progress`` hears the drive's time in ns."""
        batch = _Batch()
        for moment in moments:
            if batch.size and (pace.due_in_s(moment.time_ns) > 0 or batch.size > BATCH_BYTES_MAX):
                await self._send(batch)
                batch = _Batch()
            await pace.until(moment.time_ns)
            batch.add(moment)
            progress(moment.time_ns)
        await self._send(batch)

    async def finish(self, linger_s: float) -> None:
        """Say on the receiver's line that the drive has ended in order, then close both."""
        await self.nmea.send(end_sentence())
        await asyncio.gather(self.can.finish(linger_s), self.nmea.finish(linger_s))

    async def _send(self, batch: _Batch) -> None:
        heard_can, heard_nmea = await asyncio.gather(
            self.can.send(bytes(batch.messages)), self.nmea.send(bytes(batch.sentences))
        )
        self.played.frames += batch.frames
        self.played.fixes += batch.fixes
        self.played.unheard_frames += 0 if heard_can else batch.frames
        self.played.unheard_fixes += 0 if heard_nmea else batch.fixes
