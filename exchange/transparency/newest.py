"""The newest published checkpoint: what the API serves is what it covers.

Readers get it with both signatures of the log; the table ``newest_note`` is this file's.
"""

from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.errors import ExchangeRefusal
from exchange.transparency.model import Published


class NothingPublished(ExchangeRefusal):
    """The signer has not signed its first checkpoint yet."""


class NotInLog(ExchangeRefusal):
    """A part of the log that no published checkpoint covers."""


def newest(conn: Connection[Any]) -> Published:
    """The newest checkpoint, by both of the log's keys; ``NothingPublished`` before the first."""
    found = newest_by_both_keys(conn)
    if found is None:
        raise NothingPublished("The log has no signed checkpoint yet: try again in a moment.")
    return found


def newest_by_both_keys(conn: Connection[Any]) -> Published | None:
    """``published`` as readers pick it up: its note has the log's ML-DSA-44 line as well.

    Of a checkpoint that the signer has not shown so yet, it is the history's.
    """
    with conn.cursor(row_factory=class_row(Published)) as cursor:
        cursor.execute(
            """
            SELECT coalesce(newest.note, checkpoint.note) AS note, checkpoint.size, root
            FROM checkpoint LEFT JOIN newest_note newest ON newest.size = checkpoint.size
            ORDER BY checkpoint.size DESC LIMIT 1
            """
        )
        return cursor.fetchone()


def show_newest(conn: Connection[Any], size: int, note: bytes) -> None:
    """Keep the note by which readers get the newest checkpoint; an older one changes nothing."""
    conn.execute(
        """
        INSERT INTO newest_note (size, note) VALUES (%s, %s)
        ON CONFLICT (one) DO UPDATE SET size = excluded.size, note = excluded.note
        WHERE newest_note.size <= excluded.size
        """,
        [size, note],
    )
