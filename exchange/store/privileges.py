"""What the runtime role may do with each table; everything else is the owner's alone.

Append-only tables have no UPDATE and no DELETE: a process of ours that was taken over can add to
what was committed, but not change it. Where a column may change, it is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql


@dataclass(frozen=True, slots=True)
class Rights:
    """Beyond SELECT."""

    insert: bool = True
    update: tuple[str, ...] = ()
    delete: bool = False


APPEND = Rights()
READ = Rights(insert=False)

TABLES: dict[str, Rights] = {
    "schema_migrations": READ,
    "tree_head": Rights(insert=False, update=("size", "root", "key_epoch", "awaited")),
    "tile": Rights(update=("hashes",)),
    "leaf": APPEND,
    "statement": APPEND,
    "checkpoint": APPEND,
    "newest_note": Rights(update=("size", "note")),
    "receipt_signature": APPEND,
    "leaf_lookup": APPEND,
    "leaf_lookup_progress": Rights(insert=False, update=("next_index",)),
    "witness_round": APPEND,
    "signer_state": Rights(update=("state", "detail", "since")),
    "segment_key": APPEND,
    "segment": APPEND,
    "quarantine": Rights(
        update=(
            "times",
            "last_at",
            "raw",
            "released_index",
            "reason",
            "permanent",
            "detail",
            "boot",
            "seq",
        )
    ),
    "quarantine_count": Rights(update=("messages", "bytes")),
    "quarantine_kept": Rights(update=("digests", "messages", "bytes")),
    "organisation": APPEND,
    "org_key": Rights(update=("revoked_index",)),
    "oauth_client": Rights(delete=True),
    "device": Rights(update=("mqtt_secret_hash", "mosquitto_hash")),
    "device_key": Rights(
        update=("revoked_index", "rotated_index", "rotated_boots", "rotated_seqs")
    ),
    "binding": APPEND,
    "grant_record": Rights(update=("revoked_index", "revoked_ms")),
    "revocation": APPEND,
    "access_log": Rights(update=("batch_index",)),
    "idempotency": Rights(update=("sealed_answer",), delete=True),
    "trip": Rights(update=("superseded_index",)),
    "trip_progress": Rights(insert=False, update=("next_index",)),
    "trip_pending": Rights(update=("from_ms", "first_index"), delete=True),
    "trip_settled": Rights(update=("judged_ms",), delete=True),
}
"""Every table of the migrations; a new one has to be entered here."""

VIEWS = ("sample", "exposure")
SEQUENCES = ("segment_id",)
FUNCTIONS = ("make_segment_partitions", "attach_awaited")


def grant(conn: Connection[Any], role: str) -> None:
    """Give a role exactly these rights, in the caller's transaction; ``conn`` is the owner's."""
    row = conn.execute("SELECT current_database()").fetchone()
    conn.execute(
        sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC, {}").format(
            sql.Identifier(row[0] if row else ""), sql.Identifier(role)
        )
    )
    grant_in_schema(conn, role)


def grant_in_schema(conn: Connection[Any], role: str) -> None:
    """What ``grant`` does, without the rights that hang on the database itself."""
    to = sql.Identifier(role)
    conn.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(to))
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to))
    for name, rights in TABLES.items():
        for statement in _of_table(sql.Identifier(name), rights, to):
            conn.execute(statement)
    for name in VIEWS:
        conn.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(name), to))
    for name in SEQUENCES:
        conn.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier(name), to))
    for name in FUNCTIONS:
        conn.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.Identifier(name), to))


def _of_table(table: sql.Identifier, rights: Rights, to: sql.Identifier) -> Iterator[sql.Composed]:
    yield sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(table, to)
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(table, to)
    if rights.insert:
        yield sql.SQL("GRANT INSERT ON {} TO {}").format(table, to)
    if rights.update:
        columns = sql.SQL(", ").join(map(sql.Identifier, rights.update))
        yield sql.SQL("GRANT UPDATE ({}) ON {} TO {}").format(columns, table, to)
    if rights.delete:
        yield sql.SQL("GRANT DELETE ON {} TO {}").format(table, to)
