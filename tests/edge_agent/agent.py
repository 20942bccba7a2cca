"""One run of the agent inside a test, on an enrolled folder."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from edge_agent.assembly import assemble
from edge_agent.clock import SystemClock
from edge_agent.configuration import Configuration
from edge_agent.enrolment import read_enrolment, read_key
from edge_agent.outbox import Outbox
from edge_agent.run import Ambient, Ending, Run


@asynccontextmanager
async def assembled(folder: Path, configuration: Configuration) -> AsyncIterator[Run]:
    """The parts of a run, wired, on the folder's outbox."""
    with ThreadPoolExecutor(1) as thread:
        outbox = thread.submit(Outbox.open, folder / "outbox.sqlite").result()
        ambient = Ambient(SystemClock(), os.urandom, random.random)
        try:
            yield assemble(
                configuration, read_enrolment(folder), read_key(folder), outbox, thread, ambient
            )
        finally:
            thread.submit(outbox.close).result()


async def run_agent(folder: Path, configuration: Configuration, timeout_s: float = 60) -> Ending:
    """Run until the end of the source."""
    async with assembled(folder, configuration) as run, asyncio.timeout(timeout_s):
        return await run.until_end()


def replay(can: str, nmea: str | None = None, **values: float) -> Configuration:
    """Configuration of a replay."""
    receivers = (nmea,) if nmea else ()
    defaults = {"resend_after_s": 0.2, "drain_timeout_s": 30.0}
    return Configuration(can=(can,), nmea=receivers, clock="source", **{**defaults, **values})  # type: ignore[arg-type]
