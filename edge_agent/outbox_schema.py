"""The tables of the outbox, by version. A version that was released is never edited."""

import sqlite3

APPLICATION_ID = 0x68706F62

_VERSION_1 = """
CREATE TABLE statement (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    boot BLOB NOT NULL,
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    raw BLOB,
    size INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sealed', 'receipted', 'refused', 'dropped')),
    since_ms INTEGER NOT NULL,
    leaf INTEGER,
    cause TEXT,
    UNIQUE (boot, seq)
);
CREATE INDEX statement_by_state ON statement (state, id);

CREATE TABLE journal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    boot BLOB NOT NULL,
    seq INTEGER NOT NULL,
    t0 INTEGER NOT NULL,
    mono INTEGER NOT NULL,
    clock_source INTEGER NOT NULL,
    clock_uncertainty_ms INTEGER NOT NULL,
    gap_from_ms INTEGER
);
CREATE TABLE journal_sample (offset_ms INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE journal_event (
    position INTEGER PRIMARY KEY,
    offset_ms INTEGER NOT NULL,
    event INTEGER NOT NULL,
    detail BLOB NOT NULL
);

CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    digest BLOB NOT NULL,
    last_ms INTEGER NOT NULL
);
"""

VERSIONS = (_VERSION_1,)


class OutboxUnusable(Exception):
    """The outbox file is no outbox, or of a version that this agent does not know."""


def prepare(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version, or refuse it with ``OutboxUnusable``."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version and application != APPLICATION_ID:
        raise OutboxUnusable("the file is a database of something else")
    if version > len(VERSIONS):
        raise OutboxUnusable("a newer agent wrote the outbox; install that version again")
    for number, script in enumerate(VERSIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN; {script}; PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {number}; COMMIT;"
        )
