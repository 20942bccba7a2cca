"""Any bus that python-can can open. Frames are read in a thread and handed over in batches."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import can

from edge_agent.decode.bus import BusDecoder
from edge_agent.observation import Observation
from edge_agent.sources.port import QUIET_S, Batch, Deliver, EndMark, SourceLost

_POLL_S = 0.2
_BATCH_FRAMES_MAX = 256
_PENDING_BATCHES_MAX = 64


class CanBusSource:
    """Frames of a python-can interface. ``stamp`` is local; None keeps the interface's stamps."""

    def __init__(
        self,
        interface: str,
        channel: str,
        end: EndMark,
        stamp: Callable[[], float] | None,
        **options: Any,
    ) -> None:
        self.name = f"{interface}:{channel}"
        self.decoder = BusDecoder()
        self.dropped = 0
        """Frames that nobody took in time."""
        self._interface, self._channel, self._options = interface, channel, options
        self._end, self._stamp = end, stamp
        self._stop = threading.Event()

    async def run(self, deliver: Deliver) -> None:
        """Deliver until the end was marked and the bus is quiet; ``SourceLost`` when it fails."""
        loop = asyncio.get_running_loop()
        pending: asyncio.Queue[list[can.Message] | Exception] = asyncio.Queue(_PENDING_BATCHES_MAX)
        bus = await asyncio.to_thread(self._open)
        self._stop.clear()
        thread = threading.Thread(target=self._pump, args=(bus, loop, pending), daemon=True)
        thread.start()
        try:
            await self._take(pending, deliver)
        finally:
            self._stop.set()
            await asyncio.to_thread(thread.join)
            bus.shutdown()

    def _open(self) -> can.BusABC:
        try:
            return can.Bus(
                channel=self._channel,
                interface=self._interface,
                ignore_config=True,
                **self._options,
            )
        except (can.CanError, OSError, ValueError, TypeError, ImportError) as error:
            raise SourceLost(f"{self.name} cannot be opened: {error}") from error

    async def _take(
        self, pending: "asyncio.Queue[list[can.Message] | Exception]", deliver: Deliver
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    item = await pending.get()
            except TimeoutError:
                if self._end.is_set:
                    return
                continue
            if isinstance(item, Exception):
                raise SourceLost(f"{self.name} broke off: {item}") from item
            await deliver(self._decode(item))

    def _decode(self, messages: list[can.Message]) -> Batch:
        observations: list[Observation] = []
        local_ms = None if self._stamp is None else self._stamp()
        stamp_ms = local_ms
        for message in messages:
            stamp_ms = message.timestamp * 1_000 if local_ms is None else local_ms
            observation = self.decoder.frame(
                message.arbitration_id, message.is_extended_id, bytes(message.data), stamp_ms
            )
            if observation is not None:
                observations.append(observation)
        return Batch(tuple(observations), stamp_ms)

    def _pump(
        self,
        bus: can.BusABC,
        loop: asyncio.AbstractEventLoop,
        pending: "asyncio.Queue[list[can.Message] | Exception]",
    ) -> None:
        def hand_over(item: list[can.Message] | Exception) -> None:
            try:
                pending.put_nowait(item)
            except asyncio.QueueFull:
                self.dropped += len(item) if isinstance(item, list) else 0

        with contextlib.suppress(RuntimeError):  # the loop has ended before this thread
            while not self._stop.is_set():
                try:
                    batch = _receive(bus)
                except (can.CanError, OSError, ValueError) as error:
                    loop.call_soon_threadsafe(hand_over, error)
                    return
                if batch:
                    loop.call_soon_threadsafe(hand_over, batch)


def _receive(bus: can.BusABC) -> list[can.Message]:
    batch: list[can.Message] = []
    message = bus.recv(_POLL_S)
    while message is not None:
        if not (message.is_error_frame or message.is_remote_frame):
            batch.append(message)
        if len(batch) == _BATCH_FRAMES_MAX:
            break
        message = bus.recv(0)
    return batch
