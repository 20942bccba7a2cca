"""Bare binary COPY: the rows that intake wrote, written again into tables like ``segment``.

The rows come out of the store in the binary form in which they go back in, so that nothing but
PostgreSQL and the connection is measured. One transaction for each batch, as intake has; each
process has a table of its own, emptied between passes while the clock stands.
"""

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from haulproof.bench.limits.committed import SCHEMA, Committed
from haulproof.bench.load.crew import all_ready, run_together


@dataclass(frozen=True, slots=True)
class _Part:
    url: str
    table: str
    ids: list[int]
    batch: int
    seconds: float


def copied_rows_per_s(
    url: str, committed: Committed, batch: int, processes: int, seconds: float
) -> float:
    """Rows per second of so many connections at once, for about ``seconds``."""
    parts = [
        _Part(url, f"segment_{n}", committed.ids[n::processes], batch, seconds)
        for n in range(processes)
    ]
    with psycopg.connect(url, autocommit=True) as conn:
        for part in parts:
            like = sql.SQL("CREATE TABLE {} (LIKE public.segment INCLUDING ALL)")
            conn.execute(like.format(_table(part)))
    return sum(run_together(_rate, parts))


def _rate(part: _Part) -> float:
    into = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(_table(part))
    empty = sql.SQL("TRUNCATE {}").format(_table(part))
    with psycopg.connect(part.url, autocommit=True) as conn:
        starts = range(0, len(part.ids), part.batch)
        streams = [_stream(conn, part.ids[start : start + part.batch]) for start in starts]
        all_ready()
        rows, spent = 0, 0.0
        while spent < part.seconds:
            started = time.perf_counter()
            for stream in streams:
                with conn.transaction(), conn.cursor().copy(into) as copy:
                    copy.write(stream)
            spent += time.perf_counter() - started
            rows += len(part.ids)
            conn.execute(empty)
        return rows / spent


def _stream(conn: psycopg.Connection[tuple[object, ...]], ids: list[int]) -> bytes:
    query = "COPY (SELECT * FROM public.segment WHERE id = ANY({})) TO STDOUT (FORMAT BINARY)"
    with conn.cursor().copy(sql.SQL(query).format(sql.Literal(ids))) as copy:
        return b"".join(bytes(part) for part in copy)


def _table(part: _Part) -> sql.Identifier:
    return sql.Identifier(SCHEMA, part.table)
