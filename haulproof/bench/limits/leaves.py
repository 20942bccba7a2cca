"""Bare leaf append: the log's own code for hashes, tiles and leaf rows, on tables of the bench.

One process, since appends are serial by nature. The commit is left out, as intake pays it with its
rows: many batches share a transaction here.
"""

import time
from collections.abc import Sequence

import psycopg

from exchange.transparency.repository import append_leaves
from haulproof.bench.limits.committed import SCHEMA
from haulproof.bench.log.tables import make_log


def appended_leaves_per_s(
    url: str, leaves: Sequence[tuple[int, bytes]], batch: int, seconds: float
) -> float:
    """Leaves (kind, digest) per second, ``batch`` at a time, for about ``seconds``."""
    batches = [leaves[start : start + batch] for start in range(0, len(leaves), batch)]
    with psycopg.connect(url, autocommit=True) as conn:
        make_log(conn, SCHEMA)
        done, spent = 0, 0.0
        while spent < seconds:
            with conn.transaction():
                started = time.perf_counter()
                for one in batches:
                    append_leaves(conn, one)
                spent += time.perf_counter() - started
            done += len(leaves)
        return done / spent
