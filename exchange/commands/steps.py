"""What a person is told while something takes longer than a moment."""

import threading
import time
from collections.abc import Callable
from typing import Self

QUIET_S = 2.0


class Steps:
    """Tells what is being done, once it has taken ``quiet_s`` seconds."""

    def __init__(self, tell: Callable[[str], None], quiet_s: float = QUIET_S) -> None:
        self._tell = tell
        self._quiet_s = quiet_s
        self._started_s = time.monotonic()
        self._current = ""
        self._said = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._say_when_it_takes_long, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def step(self, text: str) -> None:
        """From now on this is being done."""
        with self._lock:
            self._current = text
            if time.monotonic() - self._started_s >= self._quiet_s:
                self._say()

    def end(self) -> None:
        """Nothing more is said."""
        self._ended.set()

    def _say_when_it_takes_long(self) -> None:
        if not self._ended.wait(self._quiet_s):
            with self._lock:
                if not self._ended.is_set():
                    self._say()

    def _say(self) -> None:
        if self._current and self._current != self._said:
            self._said = self._current
            self._tell(f"{self._current} …")
