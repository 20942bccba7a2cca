"""Processes that begin together: spawned, each made ready by its task, then let go at one moment.

A task does what needs no clock (connecting, signing, reading), calls ``all_ready``, and is told
when to begin. That moment is CLOCK_MONOTONIC, which the processes of a machine share.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from multiprocessing import get_context
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
    wait of the others.
    """
    context = get_context("spawn")
    barrier = context.Barrier(len(parts))
    begins: Synchronized[float] = context.Value("d", 0.0)
    with ProcessPoolExecutor(
        len(parts), mp_context=context, initializer=_enter, initargs=(barrier, begins)
    ) as pool:
        running = [pool.submit(task, part) for part in parts]
        ended, _ = wait(running, return_when=FIRST_EXCEPTION)
        for one in ended:
            if (error := one.exception()) is not None:
                barrier.abort()
                raise error
        return [one.result() for one in running]


def all_ready() -> float:
    """Wait for the other tasks; returns the moment (monotonic s) at which all of them begin."""
    if _gate is None:
        raise RuntimeError("all_ready belongs to tasks of run_together")
    barrier, begins = _gate
    if barrier.wait(_READY_S) == 0:
        begins.value = time.monotonic() + _LEAD_S
    barrier.wait(_READY_S)
    return begins.value


def _enter(barrier: Barrier, begins: "Synchronized[float]") -> None:
    global _gate
    _gate = barrier, begins
