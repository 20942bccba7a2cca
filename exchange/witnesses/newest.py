"""The newest final checkpoint, as readers are given it."""

from typing import Any

from psycopg import Connection

from exchange.transparency.model import Published
from exchange.transparency.newest import NothingPublished
from exchange.witnesses.repository import newest_final


def newest_of_quorum(conn: Connection[Any]) -> Published:
    """The newest checkpoint that a quorum cosigned; ``NothingPublished`` before the first."""
    found = newest_final(conn)
    if found is None:
        raise NothingPublished(
            "No checkpoint is final yet, since witnesses have not cosigned one: "
            "/log/checkpoint.latest has the newest signed one."
        )
    return found
