"""All SQL by which segments enter the store, and by which derivation reads them."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.segments import copying
from exchange.segments.model import CommittedSegment, Identity
from exchange.store.arrays import Bigints, Byteas, Texts

_COPY = sql.SQL("COPY segment ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(sql.Identifier(column) for column in copying.COLUMNS)
)

_COMMITTED = sql.SQL(
    """
    SELECT l.index, s.digest, s.carrier, s.device, s.boot, s.seq, s.vehicle, s.t0, s.t_end, s.n,
           s.flags, s.driver_class, s.received_at, s.committed_at, s.raw
    FROM {} WHERE {} ORDER BY l.index LIMIT %s
    """
)
_FROM_LEAVES = sql.SQL("leaf l JOIN segment s ON s.id = l.segment_id")
_FROM_SEGMENTS = sql.SQL("segment s JOIN leaf l ON l.digest = s.digest AND l.segment_id = s.id")


def claim_identities(
    conn: Connection[Any], named: Sequence[tuple[Identity, bytes]]
) -> dict[Identity, bytes]:
    """Give each identity to its digest; returns the digests that hold identities already taken.

    Sorted, so that two workers with the same messages wait for, and never deadlock, each other. An
    identity may be given once only.
    """
    ordered = sorted(named)
    new = conn.execute(
        """
        INSERT INTO segment_key (carrier, device, boot, seq, digest)
        SELECT * FROM unnest(%s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING RETURNING digest
        """,
        [*_as_columns([identity for identity, _ in ordered]), Byteas([d for _, d in ordered])],
    )
    if new.rowcount == len(ordered):
        return {}
    claimed = {row[0] for row in new}
    return holders(conn, [identity for identity, digest in ordered if digest not in claimed])


def holders(conn: Connection[Any], identities: Sequence[Identity]) -> dict[Identity, bytes]:
    """Which digest each identity names; those that name nothing are absent."""
    rows = conn.execute(
        """
        SELECT k.carrier, k.device, k.boot, k.seq, k.digest FROM segment_key k
        JOIN unnest(%s, %s, %s, %s) AS wanted(carrier, device, boot, seq)
          USING (carrier, device, boot, seq)
        """,
        _as_columns(identities),
    )
    return {Identity(*row[:4]): bytes(row[4]) for row in rows}


def reserve_ids(conn: Connection[Any], count: int) -> list[int]:
    """Ids for ``count`` new rows; those of a transaction that fails are not used again."""
    rows = conn.execute("SELECT nextval('segment_id') FROM generate_series(1, %s)", [count])
    return [row[0] for row in rows]


def copy_rows(conn: Connection[Any], stream: bytes) -> None:
    """Insert rows from a binary COPY stream of ``copying.rows``."""
    with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(stream)


def make_partitions(conn: Connection[Any]) -> int:
    """Make the partitions that new segments will soon need; how many were missing."""
    row = conn.execute("SELECT make_segment_partitions()").fetchone()
    return 0 if row is None else int(row[0])


def segments_after(conn: Connection[Any], index: int, limit: int) -> list[CommittedSegment]:
    """Committed segments, published or not, with a larger index; ascending."""
    condition = sql.SQL("l.index > %s AND l.segment_id IS NOT NULL")
    return _committed(conn, _FROM_LEAVES, condition, [index, limit])


def segments_at(conn: Connection[Any], indices: Iterable[int]) -> list[CommittedSegment]:
    """The segments among these leaves, ascending."""
    return _committed(conn, _FROM_LEAVES, sql.SQL("l.index = ANY(%s)"), [list(indices), None])


def segments_of_vehicle(
    conn: Connection[Any],
    carrier: str,
    vehicle: str,
    from_ms: int,
    to_ms: int,
    below: int | None = None,
) -> list[CommittedSegment]:
    """Segments of a carrier's vehicle with samples in [from, to), by index; ``below`` bounds it."""
    condition = sql.SQL(
        "s.carrier = %s AND s.vehicle = %s AND s.t_end >= %s AND s.t0 < %s "
        "AND (%s::bigint IS NULL OR l.index < %s)"
    )
    return _committed(
        conn,
        _FROM_SEGMENTS,
        condition,
        [carrier, vehicle, from_ms, to_ms, below, below, None],
    )


def _committed(
    conn: Connection[Any], tables: sql.SQL, condition: sql.SQL, values: Sequence[object]
) -> list[CommittedSegment]:
    with conn.cursor(row_factory=class_row(CommittedSegment)) as cursor:
        cursor.execute(_COMMITTED.format(tables, condition), values)
        return cursor.fetchall()


def _as_columns(identities: Sequence[Identity]) -> list[bytes]:
    return [
        Texts([identity.carrier for identity in identities]),
        Texts([identity.device for identity in identities]),
        Byteas([identity.boot for identity in identities]),
        Bigints([identity.seq for identity in identities]),
    ]
