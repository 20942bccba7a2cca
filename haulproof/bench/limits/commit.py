"""Bare commit: one row of a segment's size, inserted and made durable, again and again."""

import time

import psycopg
from psycopg import sql

from haulproof.bench.limits.committed import SCHEMA

_TABLE = sql.Identifier(SCHEMA, "committed")


def commit_seconds(url: str, payload: bytes, count: int) -> list[float]:
    """How long each of ``count`` commits took, on one connection."""
    insert = sql.SQL("INSERT INTO {} VALUES (%s)").format(_TABLE)
    took = []
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE TABLE {} (raw bytea)").format(_TABLE))
        for _ in range(count):
            started = time.perf_counter()
            conn.execute(insert, [payload])
            took.append(time.perf_counter() - started)
    return took
