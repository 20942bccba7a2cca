"""Whether a role has exactly the rights that the exchange's table of rights names."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection, sql

from exchange.store.privileges import SEQUENCES, TABLES, VIEWS

_HAS = "SELECT has_table_privilege(current_user, %s, %s)"
_HAS_COLUMN = """
    SELECT a.attname, has_column_privilege(current_user, a.attrelid, a.attnum, 'UPDATE')
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
_RELATIONS = """
    SELECT relname, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND NOT relispartition
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'i'
                      AND pg_class.relkind = 'S')
"""


def check_privileges(conn: Connection[Any]) -> None:
    """Every relation of the schema is in the table of rights, and the role has what it says."""
    found: dict[str, set[str]] = {"r": set(), "p": set(), "v": set(), "m": set(), "S": set()}
    for name, kind in conn.execute(_RELATIONS):
        found[kind if isinstance(kind, str) else kind.decode()].add(name)
    assert found["r"] | found["p"] == set(TABLES)
    assert found["v"] | found["m"] == set(VIEWS)
    assert found["S"] == set(SEQUENCES)
    for table, rights in TABLES.items():
        assert _has(conn, table, "SELECT"), table
        assert _has(conn, table, "INSERT") == rights.insert, table
        assert _has(conn, table, "DELETE") == rights.delete, table
        assert not _has(conn, table, "TRUNCATE"), table
        may_change = {name for name, may in conn.execute(_HAS_COLUMN, [table]) if may}
        assert may_change == set(rights.update), table


OF_THE_DATABASE = (
    sql.SQL("CREATE TEMPORARY TABLE more (a int)"),
    sql.SQL("CREATE SCHEMA more"),
)


def check_refusals(conn: Connection[Any], also: Sequence[sql.SQL] = OF_THE_DATABASE) -> None:
    """The server itself refuses; what a right says is what happens."""
    append_only = [name for name, one in TABLES.items() if not one.update and not one.delete]
    assert {"leaf", "statement", "checkpoint", "segment", "segment_key"} <= set(append_only)
    statements: list[sql.SQL | sql.Composed] = [
        sql.SQL("CREATE TABLE more (a int)"),
        sql.SQL("ALTER TABLE leaf ADD COLUMN more int"),
        sql.SQL("DROP TABLE leaf"),
        sql.SQL("CREATE INDEX ON leaf (kind)"),
        sql.SQL("DELETE FROM tree_head"),
        sql.SQL("UPDATE device_key SET cose_key = cose_key"),
    ]
    for name in append_only:
        table = sql.Identifier(name)
        first = conn.execute(_FIRST_COLUMN, [name]).fetchone()
        assert first is not None
        column = sql.Identifier(first[0])
        statements += [
            sql.SQL("UPDATE {} SET {} = {}").format(table, column, column),
            sql.SQL("DELETE FROM {}").format(table),
            sql.SQL("TRUNCATE {}").format(table),
        ]
    for statement in [*statements, *also]:
        assert _refused(conn, statement), statement.as_string(conn)


_FIRST_COLUMN = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1"


def _refused(conn: Connection[Any], statement: sql.SQL | sql.Composed) -> bool:
    try:
        conn.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def _has(conn: Connection[Any], table: str, right: str) -> bool:
    row = conn.execute(_HAS, [table, right]).fetchone()
    return row is not None and bool(row[0])
