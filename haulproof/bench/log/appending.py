"""Durable appends by the exchange's own code: one transaction for each batch, as its role may."""

import time
from collections.abc import Sequence

import psycopg

from exchange.transparency.repository import append_leaves
from schemas.kinds import Kind


def append_seconds(url: str, digests: Sequence[bytes], batch: int) -> list[float]:
    """How long each batch took, from its digests to the end of its commit."""
    took = []
    with psycopg.connect(url, autocommit=True) as conn:
        for start in range(0, len(digests), batch):
            leaves = [(int(Kind.SEGMENT), digest) for digest in digests[start : start + batch]]
            started = time.perf_counter()
            with conn.transaction():
                append_leaves(conn, leaves)
            took.append(time.perf_counter() - started)
    return took
