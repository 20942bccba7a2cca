"""All SQL of the access log."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from exchange.access.model import Read


def record_reads(conn: Connection[Any], reads: Sequence[Read]) -> None:
    """Write what is about to be answered; the caller commits before the first byte leaves."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO access_log
              (reader, client_id, operation, carrier, vehicles, grants, items, first_index,
               last_index)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    read.reader.organisation,
                    read.reader.client_id,
                    read.operation,
                    read.carrier,
                    list(read.vehicles),
                    list(read.grants),
                    read.items,
                    read.first_index,
                    read.last_index,
                )
                for read in reads
            ],
        )
