"""Processes that begin together: spawned, each made ready by its task, then let go at one moment.

A task does what needs no clock (connecting, signing, reading), calls ``all_ready``, and is told
when to begin. That moment is CLOCK_MONOTONIC, which the processes of a machine share.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_READY_S = 600
_LEAD_S = 0.2

_gate: tuple[Barrier, "Synchronized[float]"] | None = None


def run_together(task: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """One process for each part; the results in the order of the parts.

    ``task`` calls ``all_ready`` exactly once. What one task raises is raised here, and ends the
    other processes.
    """
    context = get_context("spawn")
    barrier = context.Barrier(len(parts))
    begins: Synchronized[float] = context.Value("d", 0.0)
    with ProcessPoolExecutor(
        len(parts), mp_context=context, initializer=_enter, initargs=(barrier, begins)
    ) as pool:
        try:
            running = [pool.submit(task, part) for part in parts]
            ended, _ = wait(running, return_when=FIRST_EXCEPTION)
            failed = [one for one in running if one in ended and one.exception() is not None]
            return [one.result() for one in [*failed, *running]]
        except BaseException:
            _end_crews()
            raise


async def aside(run: Callable[[], Result]) -> Result:
    """Await what runs a crew, beside a loop; being cancelled ends the crew's processes."""
    try:
        return await asyncio.to_thread(run)
    except asyncio.CancelledError:
        _end_crews()
        raise


def all_ready() -> float:
    """Wait for the other tasks; returns the moment (monotonic s) at which all of them begin."""
    if _gate is None:
        raise RuntimeError("all_ready belongs to tasks of run_together")
    barrier, begins = _gate
    if barrier.wait(_READY_S) == 0:
        begins.value = time.monotonic() + _LEAD_S
    barrier.wait(_READY_S)
    return begins.value


def _end_crews() -> None:
    for child in active_children():
        child.terminate()


def _enter(barrier: Barrier, begins: "Synchronized[float]") -> None:
    global _gate
    _gate = barrier, begins
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A bench that was killed can't end its crew any more."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
