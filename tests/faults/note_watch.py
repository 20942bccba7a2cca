"""Looks all the time at what the log has signed: the newest checkpoint, and the fence's own note.

The fence may hold a note that nobody has published yet. It counts all the same: it is signed.
"""

import threading
from contextlib import suppress
from pathlib import Path

import httpx

from tests.faults.published_log import Notes

_LOOK_S = 0.05


class NoteWatch:
    """A thread that remembers every note it sees, until ``close``; ``wrong`` tells what it met."""

    def __init__(self, notes: Notes, api: str, fence: Path) -> None:
        self.wrong: list[str] = []
        self._notes = notes
        self._url = f"{api}/log/checkpoint"
        self._fence = fence
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _watch(self) -> None:
        with httpx.Client(timeout=5) as http:
            while not self._ended.wait(_LOOK_S):
                try:
                    self._look(http)
                except AssertionError as error:
                    self.wrong.append(str(error))

    def _look(self, http: httpx.Client) -> None:
        with suppress(FileNotFoundError):
            self._notes.see(self._fence.read_bytes())
        with suppress(httpx.TransportError):
            answer = http.get(self._url)
            if answer.status_code == httpx.codes.OK:
                self._notes.see(answer.content)
