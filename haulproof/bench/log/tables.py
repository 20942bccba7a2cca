"""The log's tables again, in schemas of the bench: empty, or as far as a tree of any size.

A tree's partial tiles are all that appending reads of it, so a tree of a hundred million leaves
begins from those alone.
"""

import os
import time

import psycopg
from psycopg import sql

from exchange.transparency.repository import append_leaves
from haulproof.bench.log.places import random_digests
from ledger.merkle import HASH_BYTES
from ledger.tiles import partial_tiles, root_of_edge
from schemas.kinds import Kind

_TABLES = ("leaf", "tile", "tree_head")


def make_log(conn: psycopg.Connection[tuple[object, ...]], schema: str, size: int = 0) -> None:
    """Tables of a log of ``size`` leaves in a schema, to which the connection goes from now on."""
    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    for name in _TABLES:
        like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
        conn.execute(like.format(sql.Identifier(schema, name), sql.Identifier("public", name)))
    conn.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    places = partial_tiles(size)
    edge = {level: os.urandom(width * HASH_BYTES) for level, _, width in places}
    for level, n, _ in places:
        conn.execute(
            "INSERT INTO tile (level, n, hashes) VALUES (%s, %s, %s)", [level, n, edge[level]]
        )
    conn.execute(
        "INSERT INTO tree_head (size, root, key_epoch) VALUES (%s, %s, 0)",
        [size, root_of_edge(edge)],
    )


def append_us_per_leaf(
    url: str, sizes: tuple[int, ...], batch: int, times: int
) -> dict[int, list[float]]:
    """µs of a leaf in each of ``times`` durable batches onto trees of these sizes, by turns."""
    connections = {}
    try:
        for size in sizes:
            connections[size] = psycopg.connect(url, autocommit=True)
            make_log(connections[size], f"bench_{size}", size)
        took: dict[int, list[float]] = {size: [] for size in sizes}
        digests = random_digests(batch)
        leaves = [(int(Kind.SEGMENT), digest) for digest in digests]
        for _ in range(times):
            for size, conn in connections.items():
                started = time.perf_counter()
                with conn.transaction():
                    append_leaves(conn, leaves)
                took[size].append((time.perf_counter() - started) / batch * 1e6)
        return took
    finally:
        for conn in connections.values():
            conn.close()
