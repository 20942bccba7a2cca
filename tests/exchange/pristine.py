"""A database put back to what its migrations made of it, faster than making a new one."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

_KEPT = "schema_migrations"


@dataclass(frozen=True)
class Pristine:
    """The rows that a freshly migrated database holds, by table."""

    owner_url: str
    tables: tuple[str, ...]
    rows: dict[str, list[dict[str, Any]]]


def remember(owner_url: str) -> Pristine:
    """What a freshly migrated database holds."""
    with psycopg.connect(owner_url, row_factory=psycopg.rows.dict_row) as conn:
        found = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = tuple(row["tablename"] for row in found if row["tablename"] != _KEPT)
        query = sql.SQL("SELECT * FROM {}")
        rows = {
            table: conn.execute(query.format(sql.Identifier(table))).fetchall() for table in tables
        }
    return Pristine(owner_url, tables, {table: held for table, held in rows.items() if held})


def restore(pristine: Pristine) -> None:
    """Empty every table and put back what the migrations had put there."""
    with psycopg.connect(pristine.owner_url) as conn:
        tables = sql.SQL(", ").join(map(sql.Identifier, pristine.tables))
        conn.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        for table, rows in pristine.rows.items():
            for row in rows:
                conn.execute(
                    sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                        sql.Identifier(table),
                        sql.SQL(", ").join(map(sql.Identifier, row)),
                        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                    ),
                    list(row.values()),
                )
