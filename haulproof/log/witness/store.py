"""What a witness cosigned last, by log: trusted, and must never be rolled back.

A witness whose state went back could cosign a second history. So it is one SQLite file, synced to
disk before an answer leaves, and judged and replaced under one lock: a crash leaves the old head
or the new one, and two requests at once never see the same old one.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from ledger.checkpoint import TreeHead

_VERSION = 1
_BUSY_S = 10.0
_TABLE = """
CREATE TABLE cosigned (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL
) STRICT
"""

Decide = Callable[[TreeHead | None], tuple[TreeHead, bytes] | None]
"""The head last cosigned to the one to be cosigned now, and its note.

``None``, or an exception, leaves all as it is.
"""


class StateUnreadable(Exception):
    """A file that is no state of a witness, or of another version."""


class StateLost(Exception):
    """A file that holds nothing, where something was cosigned before."""


class WitnessStore:
    """The state file. May be used by several threads, and opened by several processes."""

    def __init__(self, path: Path, *, is_new: bool) -> None:
        """``is_new``: whether nothing was ever cosigned, so that the file may be empty.

        Raises ``StateLost``, ``StateUnreadable`` and ``sqlite3.DatabaseError``.
        """
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            # Without a WAL the state is one file, which cannot be parted from its newest head.
            self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.execute("PRAGMA synchronous = EXTRA")
            self._make_table(is_new)
        except (sqlite3.DatabaseError, StateUnreadable, StateLost):
            self._db.close()
            raise

    def advance(self, origin: str, decide: Decide) -> bool:
        """Replace what was last cosigned of a log by what ``decide`` makes of it, atomically.

        Whether anything was written. Durable on return; ``sqlite3.Error`` when it is one or the
        other.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            decided = decide(self._last(origin))
            if decided is None:
                return False
            head, note = decided
            self._db.execute(
                """
                INSERT INTO cosigned (origin, size, root, note) VALUES (?, ?, ?, ?)
                ON CONFLICT (origin) DO UPDATE
                SET size = excluded.size, root = excluded.root, note = excluded.note
                """,
                (origin, head.size, head.root, note),
            )
        return True

    def note(self, origin: str) -> bytes | None:
        """The checkpoint last cosigned of a log, with its cosignatures; None before the first."""
        with self._lock:
            row = self._db.execute(
                "SELECT note FROM cosigned WHERE origin = ?", (origin,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _last(self, origin: str) -> TreeHead | None:
        row = self._db.execute(
            "SELECT size, root FROM cosigned WHERE origin = ?", (origin,)
        ).fetchone()
        return None if row is None else TreeHead(origin, row[0], bytes(row[1]))

    def _make_table(self, is_new: bool) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not is_new:
                raise StateLost
            if version == 0:
                self._db.execute(_TABLE)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise StateUnreadable(f"it was written by another version of haulproof ({version})")
