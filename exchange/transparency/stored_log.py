"""The published log as PostgreSQL holds it: what ``/log/`` serves, for whoever copies it."""

from typing import Any

from psycopg import Connection

from exchange.transparency import repository
from exchange.transparency.newest import NothingPublished, newest
from exchange.witnesses.newest import newest_of_quorum
from ledger.tiles import entries_path, tile_path
from ledger.verified_tree import NotPublished


class StoredLog:
    """A ``PublishedLog`` over a connection. Raises ``LogDamaged`` and psycopg's errors besides.

    ``quorum``: whether a quorum of witnesses says when a checkpoint is final.
    """

    def __init__(self, conn: Connection[Any], *, quorum: bool) -> None:
        self._conn = conn
        self._newest = newest_of_quorum if quorum else newest

    def checkpoint(self) -> bytes:
        """The note that ``/log/checkpoint`` has; ``NotPublished`` before the first."""
        try:
            return self._newest(self._conn).note
        except NothingPublished:
            raise NotPublished("checkpoint") from None

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Concatenated hashes; ``NotPublished``."""
        found = repository.tile(self._conn, level, n, width)
        if found is None:
            raise NotPublished(tile_path(level, n, width))
        return found

    def entries(self, n: int, width: int) -> bytes:
        """An entry bundle; ``NotPublished``."""
        found = repository.entries(self._conn, n, width)
        if found is None:
            raise NotPublished(entries_path(n, width))
        return found
