"""What a bench says while it runs, on stderr: a sentence for each step, and a bar on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[int], None]
"""Hears how many are done so far."""


class Telling:
    """Sentences and bars; without a terminal, the sentences alone."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def step(self, sentence: str) -> None:
        """What begins now."""
        self._console.print(f"  {sentence} ...", markup=False)

    @contextmanager
    def counting(self, sentence: str, total: int) -> Iterator[Step]:
        """A step with a bar."""
        self.step(sentence)
        if not self._console.is_terminal:
            yield lambda done: None
            return
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(
            TextColumn("   "), *columns, console=self._console, transient=True
        ) as progress:
            task = progress.add_task("", total=total)
            yield lambda done: progress.update(task, completed=done)
