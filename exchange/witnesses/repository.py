"""All SQL of rounds: each that brought a cosignature is kept, none is ever changed."""

from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.transparency.model import Published
from exchange.witnesses.model import Round

_ROUNDS_LOCK = 0x7769746E_65737365
"""Key of the advisory lock that lets one process hold rounds at a time."""


def try_rounds_lock(conn: Connection[Any]) -> bool:
    """Take the lock for the life of the connection; False when another process has it."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [_ROUNDS_LOCK]).fetchone()
    return row is not None and bool(row[0])


def save_round(conn: Connection[Any], held: Round) -> None:
    """Keep what a round brought: the checkpoint with every cosignature it has."""
    conn.execute(
        "INSERT INTO witness_round (size, note, final) VALUES (%s, %s, %s)",
        [held.size, held.cosigned_note, held.final],
    )


def fullest_round(conn: Connection[Any], size: int) -> tuple[bytes, bool] | None:
    """Note of the round about this size that brought most, and whether it was final."""
    row = conn.execute(
        """
        SELECT note, final FROM witness_round WHERE size = %s
        ORDER BY length(note) DESC, final DESC, held_at DESC LIMIT 1
        """,
        [size],
    ).fetchone()
    return None if row is None else (bytes(row[0]), bool(row[1]))


def newest_final(conn: Connection[Any]) -> Published | None:
    """The newest checkpoint that a quorum cosigned, with its cosignatures; None before the first.

    Of several rounds about it, the one with most cosignatures.
    """
    with conn.cursor(row_factory=class_row(Published)) as cursor:
        cursor.execute(
            """
            SELECT r.note, r.size, c.root
            FROM witness_round r JOIN checkpoint c USING (size)
            WHERE r.final ORDER BY r.size DESC, length(r.note) DESC, r.held_at DESC LIMIT 1
            """
        )
        return cursor.fetchone()
