"""What the measured run left in the store: the same bytes, rows and leaves for the bare parts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.postgres_cluster import DATABASE
from haulproof.bench.load.heard import Heard

SCHEMA = "bench"
_INDICES_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Committed:
    """The newest segments of a run, oldest first."""

    ids: list[int]
    devices: list[str]
    raws: list[bytes]
    leaves: list[tuple[int, bytes]]
    """Kind and digest."""


def bench_url(server: EmbeddedPostgres) -> str:
    """The exchange's database as the superuser, who may make the bench's own tables."""
    return psycopg.conninfo.make_conninfo(server.superuser_url, dbname=DATABASE)


def make_schema(url: str) -> None:
    """An empty schema for the bench's tables, beside the exchange's."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        conn.execute(f"CREATE SCHEMA {SCHEMA}")


def newest(url: str, segments_max: int) -> Committed:
    """Up to so many of the newest committed segments."""
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            """
            SELECT s.id, s.device, s.raw, l.kind, l.digest
            FROM segment s JOIN leaf l ON l.digest = s.digest AND l.segment_id = s.id
            ORDER BY s.id DESC LIMIT %s
            """,
            [segments_max],
        ).fetchall()
    rows.reverse()
    return Committed(
        ids=[row[0] for row in rows],
        devices=[row[1] for row in rows],
        raws=[bytes(row[2]) for row in rows],
        leaves=[(row[3], bytes(row[4])) for row in rows],
    )


def without_leaf(url: str, heard: Iterable[Heard]) -> int:
    """How many receipts name a leaf that is not there, or is another statement's."""
    named = [(one.leaf_index, one.digest) for one in heard if one.leaf_index is not None]
    lost = 0
    with psycopg.connect(url) as conn:
        for start in range(0, len(named), _INDICES_AT_ONCE):
            part = named[start : start + _INDICES_AT_ONCE]
            held = _digests(conn, part)
            lost += sum(held.get(index) != digest for index, digest in part)
    return lost


def _digests(conn: psycopg.Connection[Any], part: list[tuple[int, bytes]]) -> dict[int, bytes]:
    rows = conn.execute(
        "SELECT index, digest FROM leaf WHERE index = ANY(%s)", [[index for index, _ in part]]
    )
    return {index: bytes(digest) for index, digest in rows}
