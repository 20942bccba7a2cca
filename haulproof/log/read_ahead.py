"""Full tiles and bundles are asked for before they are wanted: a log is read from left to right."""

from collections.abc import Callable
from concurrent.futures import Executor, Future

from ledger.checkpoint import unverified_head
from ledger.note import NoteRefused
from ledger.tiles import TILE_WIDTH
from ledger.verified_tree import PublishedLog

AHEAD = 4
"""So many answers of each kind wait at most, the longest bundle being 17 MB."""


class ReadAhead:
    """A ``PublishedLog`` whose answers are fetched by ``executor``, some at a time."""

    def __init__(self, log: PublishedLog, executor: Executor) -> None:
        self._log = log
        self._executor = executor
        self._tiles: dict[int, Future[bytes]] = {}
        self._bundles: dict[int, Future[bytes]] = {}
        self._full = 0
        """Full bundles that the last checkpoint claims; nothing beyond is asked for ahead."""

    def checkpoint(self) -> bytes:
        """The signed note."""
        note = self._log.checkpoint()
        try:
            self._full = unverified_head(note)[0].size // TILE_WIDTH
        except NoteRefused:
            self._full = 0
        return note

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Concatenated hashes; of level 0 those to the right as well."""
        if level or width != TILE_WIDTH:
            return self._log.tile(level, n, width)
        return self._next(self._tiles, n, lambda place: self._log.tile(0, place, TILE_WIDTH))

    def entries(self, n: int, width: int) -> bytes:
        """An entry bundle; those to the right as well."""
        if width != TILE_WIDTH:
            return self._log.entries(n, width)
        return self._next(self._bundles, n, lambda place: self._log.entries(place, TILE_WIDTH))

    def _next(
        self, coming: dict[int, Future[bytes]], n: int, fetch: Callable[[int], bytes]
    ) -> bytes:
        wanted = range(n, min(n + 1 + AHEAD, max(self._full, n + 1)))
        for place in [place for place in coming if place not in wanted]:
            coming.pop(place).cancel()
        for place in wanted:
            if place not in coming:
                coming[place] = self._executor.submit(fetch, place)
        return coming.pop(n).result()
