"""The embedded PostgreSQL with the real server."""

import psycopg


def test_a_fresh_database_has_the_migrated_schema(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        found = connection.execute("SELECT to_regclass('leaf') IS NOT NULL").fetchone()
    assert found == (True,)
