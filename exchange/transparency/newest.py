"""The newest published checkpoint: what the API serves is what it covers."""

from typing import Any

from psycopg import Connection

from exchange.errors import ExchangeRefusal
from exchange.transparency.model import Published
from exchange.transparency.repository import published


class NothingPublished(ExchangeRefusal):
    """The signer has not signed its first checkpoint yet."""


class NotInLog(ExchangeRefusal):
    """A part of the log that no published checkpoint covers."""


def newest(conn: Connection[Any]) -> Published:
    """The newest published checkpoint; ``NothingPublished`` before the first."""
    found = published(conn)
    if found is None:
        raise NothingPublished("The log has no signed checkpoint yet: try again in a moment.")
    return found
