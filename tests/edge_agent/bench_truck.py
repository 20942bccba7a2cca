"""The bench truck of ``firmware_sim``, in the same loop as the agent under test."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from firmware_sim.bench.pace import MonotonicClock
from firmware_sim.bench.player import Played
from firmware_sim.drives import open_drive
from firmware_sim.truck import Bench, Truck, drive_truck


@asynccontextmanager
async def playing(drive: Path, speed: float) -> AsyncIterator[Bench]:
    """Play a drive file; what is left of it is cut off when the block is left."""
    truck = Truck(open_drive(drive), speed, wait_timeout_s=30)
    announced: asyncio.Future[Bench] = asyncio.get_running_loop().create_future()
    playing = asyncio.create_task(
        drive_truck(
            truck,
            MonotonicClock(),
            time.time_ns() // 10**6,
            Played(),
            announced.set_result,
            lambda time_ns: None,
        )
    )
    try:
        yield await announced
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
