"""All SQL of the log: leaves, tiles, head, statements, checkpoints.

Whoever appends holds the head's row lock from ``lock_head`` to the commit, so indices are assigned
in the order of commits: a reader that sees leaf k sees every leaf before it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from exchange.store.arrays import Bigints, Byteas, Smallints
from exchange.transparency.model import (
    CHECKPOINT_CHANNEL,
    CommittedStatement,
    LockedHead,
    LogDamaged,
    NewLeaf,
    Published,
    SignerPhase,
    SignerState,
)
from ledger import leaf as log_leaf
from ledger import tiles
from ledger.merkle import HASH_BYTES, GetNode
from schemas.cose.sign1 import Statement

_SIGNER_LOCK = 0x6861756C_70726F66
"""Key of the advisory lock that chooses who tries to sign."""

_FILED_AT_ONCE = 2_048
"""Leaves in a statement: few enough for a socket to hold, so that the server files them while we
hash."""

_HEAD = "SELECT size, root, key_epoch, awaited FROM tree_head"

_STATEMENTS = sql.SQL(
    """
    SELECT index, kind, digest, issuer, subject, raw, committed_at
    FROM statement WHERE {} ORDER BY index LIMIT %s
    """
)


def lock_head(conn: Connection[Any]) -> LockedHead:
    """Take the lock that serialises appends, until the caller's transaction ends."""
    row = conn.execute(f"{_HEAD} FOR UPDATE").fetchone()
    if row is None:
        raise LogDamaged("the tree has no head: the database was not migrated, or was edited")
    return LockedHead(*row)


def append_leaves(conn: Connection[Any], leaves: Sequence[tuple[int, bytes]]) -> int:
    """Append (kind, digest) leaves; returns the first one's index. The caller commits."""
    return append_under(conn, lock_head(conn), [NewLeaf(kind, digest) for kind, digest in leaves])


def append_under(conn: Connection[Any], head: LockedHead, leaves: Sequence[NewLeaf]) -> int:
    """``append_leaves`` for a caller that already holds the head's lock."""
    if not leaves:
        return head.size
    edge = right_edge(conn, head.size)
    hashes: list[bytes] = []
    with conn.pipeline():
        for start in range(0, len(leaves), _FILED_AT_ONCE):
            part = leaves[start : start + _FILED_AT_ONCE]
            _insert_leaves(conn, head.size + start, part)
            hashes += log_leaf.statement_leaf_hashes((leaf.kind, leaf.digest) for leaf in part)
        grown = tiles.append(head.size, edge, hashes)
        _save_tiles(conn, grown)
        conn.execute("UPDATE tree_head SET size = %s, root = %s", [grown.size, grown.root])
    return head.size


def commit_statement(conn: Connection[Any], kind: int, statement: Statement) -> int:
    """Append a statement of any kind but segment; the same statement again has its first index.

    The caller commits; the record and its leaf become visible together or not at all.
    """
    head = lock_head(conn)
    digest = statement.digest
    known = conn.execute("SELECT index FROM statement WHERE digest = %s", [digest]).fetchone()
    if known is not None:
        return int(known[0])
    index = awaited_leaves(conn, head, [digest]).get(digest)
    if index is None:
        index = append_under(conn, head, [NewLeaf(kind, digest)])
    else:
        attach(conn, {index: None})
    insert_statements(conn, [(index, kind, statement)])
    return index


def put_back(conn: Connection[Any], leaves: Sequence[tuple[int, bytes]]) -> int:
    """Append (kind, digest) leaves that a restored database lacks; returns the first one's index.

    They come from a copy of the log whose root was checked. Their records are awaited: whoever
    sends one again finds its leaf. The caller commits.
    """
    first = append_leaves(conn, leaves)
    conn.execute("UPDATE tree_head SET awaited = awaited + %s", [len(leaves)])
    return first


def awaited_leaves(
    conn: Connection[Any], head: LockedHead, digests: Collection[bytes]
) -> dict[bytes, int]:
    """Indices, by digest, of leaves among these that were put back and still lack their record."""
    if not head.awaited:
        return {}
    rows = conn.execute(
        """
        SELECT l.digest, min(l.index) FROM leaf l
        WHERE l.digest = ANY(%s) AND l.segment_id IS NULL
          AND NOT EXISTS (SELECT FROM statement s WHERE s.index = l.index)
        GROUP BY l.digest
        """,
        [list(digests)],
    )
    return {bytes(digest): index for digest, index in rows}


def missing_records(conn: Connection[Any]) -> Iterator[tuple[int, int, bytes]]:
    """(index, kind, digest) of every leaf that still lacks its record, by ascending index.

    In the caller's transaction; reads the whole log.
    """
    with conn.cursor(name="missing_records") as cursor:
        cursor.execute(
            """
            SELECT l.index, l.kind, l.digest FROM leaf l
            WHERE l.segment_id IS NULL
              AND NOT EXISTS (SELECT FROM statement s WHERE s.index = l.index)
            ORDER BY l.index
            """
        )
        for index, kind, digest in cursor:
            yield index, kind, bytes(digest)


def attach(conn: Connection[Any], records: Mapping[int, int | None]) -> None:
    """Lead awaited leaves, by index, to their segments' rows; None: a statement's own row."""
    conn.execute(
        "SELECT attach_awaited(%s, %s)",
        [Bigints(list(records)), Bigints(list(records.values()))],
    )


def insert_statements(
    conn: Connection[Any], statements: Sequence[tuple[int, int, Statement]]
) -> None:
    """Insert (index, kind, statement) rows beside leaves that were just appended."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO statement (index, kind, digest, issuer, subject, raw)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            [
                (index, kind, one.digest, one.header.issuer, one.header.subject, one.raw)
                for index, kind, one in statements
            ],
        )


def bump_key_epoch(conn: Connection[Any]) -> None:
    """Say that keys changed; takes the head's lock, so that no batch is judged by the old ones."""
    conn.execute("UPDATE tree_head SET key_epoch = key_epoch + 1")


def key_epoch(conn: Connection[Any]) -> int:
    """The epoch of the keys, to be read before the keys themselves."""
    row = conn.execute("SELECT key_epoch FROM tree_head").fetchone()
    if row is None:
        raise LogDamaged("the tree has no head: the database was not migrated, or was edited")
    return int(row[0])


def head(conn: Connection[Any]) -> LockedHead:
    """The newest committed head, without taking the lock."""
    row = conn.execute(_HEAD).fetchone()
    if row is None:
        raise LogDamaged("the tree has no head: the database was not migrated, or was edited")
    return LockedHead(*row)


def indices_of(conn: Connection[Any], digests: Iterable[bytes]) -> dict[bytes, int]:
    """The first index of each committed digest; those not in the log are absent."""
    rows = conn.execute(
        "SELECT digest, min(index) FROM leaf WHERE digest = ANY(%s) GROUP BY digest",
        [Byteas(list(digests))],
    )
    return {bytes(digest): index for digest, index in rows}


def digests_at(conn: Connection[Any], indices: Collection[int]) -> dict[int, bytes]:
    """The digest of the statement at each of these leaves; indices past the tree are absent."""
    rows = conn.execute("SELECT index, digest FROM leaf WHERE index = ANY(%s)", [list(indices)])
    return {index: bytes(digest) for index, digest in rows}


def statements_of(
    conn: Connection[Any],
    *,
    indices: Sequence[int] | None = None,
    kinds: Sequence[int] | None = None,
    subject: str | None = None,
    issuer: str | None = None,
    after: int = -1,
    below: int | None = None,
    limit: int | None = None,
) -> list[CommittedStatement]:
    """Statements (never segments) that meet every condition given, by ascending index.

    ``after`` and ``below`` bound the index, both exclusive.
    """
    conditions: list[tuple[sql.SQL, object]] = [
        (sql.SQL("index > %s"), after),
        (sql.SQL("index < %s"), below),
        (sql.SQL("index = ANY(%s)"), None if indices is None else list(indices)),
        (sql.SQL("kind = ANY(%s)"), None if kinds is None else [int(kind) for kind in kinds]),
        (sql.SQL("subject = %s"), subject),
        (sql.SQL("issuer = %s"), issuer),
    ]
    wanted = [(text, value) for text, value in conditions if value is not None]
    query = _STATEMENTS.format(sql.SQL(" AND ").join([text for text, _ in wanted]))
    with conn.cursor(row_factory=class_row(CommittedStatement)) as cursor:
        cursor.execute(query, [*(value for _, value in wanted), limit])
        return cursor.fetchall()


def published_of(conn: Connection[Any], size: int) -> Published | None:
    """The published checkpoint of this size, if there is one."""
    with conn.cursor(row_factory=class_row(Published)) as cursor:
        cursor.execute("SELECT note, size, root FROM checkpoint WHERE size = %s", [size])
        return cursor.fetchone()


def published(conn: Connection[Any]) -> Published | None:
    """The newest published checkpoint; None before the signer's first."""
    with conn.cursor(row_factory=class_row(Published)) as cursor:
        cursor.execute("SELECT note, size, root FROM checkpoint ORDER BY size DESC LIMIT 1")
        return cursor.fetchone()


def publish(conn: Connection[Any], checkpoint: Published) -> None:
    """Add a signed checkpoint to the history and tell who listens; one of a size is enough."""
    conn.execute(
        "INSERT INTO checkpoint (size, root, note) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [checkpoint.size, checkpoint.root, checkpoint.note],
    )
    conn.execute("SELECT pg_notify(%s, %s)", [CHECKPOINT_CHANNEL, str(checkpoint.size)])


def save_receipt_signature(conn: Connection[Any], size: int, signature: bytes) -> None:
    """Keep the log's signature for the receipts of a published checkpoint; the first one stays."""
    conn.execute(
        "INSERT INTO receipt_signature (size, signature) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [size, signature],
    )


def receipt_signature(conn: Connection[Any], size: int) -> bytes | None:
    """The log's signature for the receipts of the checkpoint of this size, if it was made."""
    row = conn.execute("SELECT signature FROM receipt_signature WHERE size = %s", [size]).fetchone()
    return None if row is None else bytes(row[0])


def node_reader(conn: Connection[Any], size: int) -> GetNode:
    """Complete nodes of the tree's first ``size`` leaves, for proofs; each tile is read once.

    The reader raises ``LogDamaged`` for a tile that should be there and is not.
    """

    def get_tile(level: int, n: int) -> bytes:
        return _whole_tile(conn, level, n, tiles.width_of(level, n, size))

    return tiles.TileReader(get_tile)


def right_edge(conn: Connection[Any], size: int) -> dict[int, bytes]:
    """The partial tiles at the right end of the tree of ``size`` leaves, by level."""
    places = tiles.partial_tiles(size)
    rows = conn.execute(
        """
        SELECT t.level, t.hashes FROM tile t
        JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted(level, n)
          ON t.level = wanted.level AND t.n = wanted.n
        """,
        [[level for level, _, _ in places], [n for _, n, _ in places]],
    )
    return {level: bytes(hashes) for level, hashes in rows}


def tile(conn: Connection[Any], level: int, n: int, width: int) -> bytes | None:
    """``width`` hashes (1 to 256) of a tile, when a published checkpoint covers them."""
    if not _covered(conn, level, n, width):
        return None
    return _whole_tile(conn, level, n, width)


def entries(conn: Connection[Any], n: int, width: int) -> bytes | None:
    """The C2SP bundle of ``width`` entries (1 to 256) from leaf ``256 n`` on, when published."""
    if not _covered(conn, 0, n, width):
        return None
    start = n * tiles.TILE_WIDTH
    rows = conn.execute(
        "SELECT kind, digest FROM leaf WHERE index >= %s AND index < %s ORDER BY index",
        [start, start + width],
    ).fetchall()
    if len(rows) != width:
        raise LogDamaged(f"leaves after {start} are missing, but a checkpoint covers them")
    found = [log_leaf.leaf_entry(kind, bytes(digest)) for kind, digest in rows]
    return tiles.encode_bundle(found)


def try_signer_lock(conn: Connection[Any]) -> bool:
    """Become the one signer that tries, as long as this connection lives; False if another is."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [_SIGNER_LOCK]).fetchone()
    return row is not None and bool(row[0])


def save_signer_state(conn: Connection[Any], phase: SignerPhase, detail: str) -> None:
    """Leave word of what the signer does, for who looks into the database."""
    conn.execute(
        """
        INSERT INTO signer_state (state, detail) VALUES (%s, %s)
        ON CONFLICT (one) DO UPDATE
        SET state = excluded.state, detail = excluded.detail, since = clock_timestamp()
        WHERE (signer_state.state, signer_state.detail) <> (excluded.state, excluded.detail)
        """,
        [phase.value, detail],
    )


def signer_state(conn: Connection[Any]) -> SignerState | None:
    """What the signer last said of itself; None before its first word."""
    row = conn.execute("SELECT state, detail, since FROM signer_state").fetchone()
    return None if row is None else SignerState(SignerPhase(row[0]), row[1], row[2])


def _insert_leaves(conn: Connection[Any], first: int, leaves: Sequence[NewLeaf]) -> None:
    conn.execute(
        """
        INSERT INTO leaf (index, kind, digest, segment_id)
        SELECT %s + place - 1, kind, digest, segment_id
        FROM unnest(%s, %s, %s) WITH ORDINALITY AS new(kind, digest, segment_id, place)
        """,
        [
            first,
            Smallints([leaf.kind for leaf in leaves]),
            Byteas([leaf.digest for leaf in leaves]),
            Bigints([leaf.segment_id for leaf in leaves]),
        ],
    )


def _save_tiles(conn: Connection[Any], grown: tiles.NewTiles) -> None:
    places = list(grown.changed)
    conn.execute(
        """
        INSERT INTO tile (level, n, hashes)
        SELECT * FROM unnest(%s, %s, %s)
        ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes
        """,
        [
            Smallints([level for level, _ in places]),
            Bigints([n for _, n in places]),
            Byteas([grown.changed[place] for place in places]),
        ],
    )


def _whole_tile(conn: Connection[Any], level: int, n: int, width: int) -> bytes:
    """The first ``width`` hashes of a stored tile, which may have grown past them since."""
    row = conn.execute(
        "SELECT substring(hashes FOR %s) FROM tile WHERE level = %s AND n = %s",
        [width * HASH_BYTES, level, n],
    ).fetchone()
    if row is None or len(row[0]) != width * HASH_BYTES:
        raise LogDamaged(f"tile {n} of level {level} is not there: restore the table tile")
    return bytes(row[0])


def _covered(conn: Connection[Any], level: int, n: int, width: int) -> bool:
    """Whether the newest published checkpoint covers the first ``width`` hashes of a tile."""
    newest = published(conn)
    if newest is None or level < 0 or n < 0 or not 1 <= width <= tiles.TILE_WIDTH:
        return False
    return width <= tiles.width_of(level, n, newest.size)
