"""What a bench says while it runs, on stderr: a sentence for each step, and a bar on a terminal."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[int], None]
"""Hears how many are done so far."""

_MOVE_EACH_S = 0.25
_SAY_EACH_S = 10.0


class Telling:
    """Sentences and bars; without a terminal, sentences alone, one every ten seconds at least
    of what is counted."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def step(self, sentence: str) -> None:
        """What begins now."""
        self._console.print(f"  {sentence} ...", markup=False)

    @contextmanager
    def counting(self, sentence: str, total: int) -> Iterator[Step]:
        """A step of ``total`` equal things."""
        self.step(sentence)
        if not self._console.is_terminal:
            yield self._now_and_then(total)
            return
        columns = (TextColumn("   "), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("", total=total)
            yield lambda done: progress.update(task, completed=done)

    def _now_and_then(self, total: int) -> Step:
        next_s = time.monotonic() + _SAY_EACH_S

        def tell(done: int) -> None:
            nonlocal next_s
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + _SAY_EACH_S
                self.step(f"{done} of {total}")

        return tell

    @contextmanager
    def lasting(self, sentence: str, seconds: float) -> Iterator[None]:
        """A step that takes about so long: the bar moves with the clock."""
        self.step(sentence)
        if not self._console.is_terminal:
            yield
            return
        over = threading.Event()
        columns = (TextColumn("   "), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("", total=seconds)
            started = time.monotonic()

            def move() -> None:
                while not over.wait(_MOVE_EACH_S):
                    progress.update(task, completed=min(seconds, time.monotonic() - started))

            mover = threading.Thread(target=move, daemon=True)
            mover.start()
            try:
                yield
            finally:
                over.set()
                mover.join()
