"""The outbox: every sample and statement that has no receipt yet, in one SQLite file.

    open ──journal──> journalled ──seal──> sealed ──publish──> (on its way) ──receipt──> receipted
    in memory         survives a           │  ^                      │                        │
                      power cut            │  └──── no receipt ──────┘               7 days, bounded
                                           ├── refused for ever ──> refused, aside ──────────┤
                                           └── outbox full ──> dropped, a signed gap ────────┤
                                                                                             v
                                                                                         forgotten

An exchange that was restored from a backup may have lost what it gave a receipt for: ``send_again``
makes receipted ones sealed again.

Trusted: what is in the file was written by this agent. Loss: at most the samples since the last
journal entry. Sealing inserts the statements and deletes the journal in one transaction with
synchronous=FULL, and only then may they be published; being on the way is kept in memory, so that
a restarted agent sends everything again that has no receipt. A dropped statement leaves its digest
behind, for a receipt that covers it may still come with others.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import cbor2

from edge_agent.open_segment import OpenSegment
from edge_agent.outbox_schema import OutboxUnusable, prepare
from edge_agent.sampler import Sample
from edge_agent.sealer import Dropped, Sealed
from edge_agent.timebase import ClockQuality
from schemas.kinds import Kind
from schemas.segment import SegmentEvent

Connect = Callable[[str], sqlite3.Connection]

_DAY_MS = 86_400_000


class ChainHead(NamedTuple):
    """The digest of the statement sealed last, and the UTC ms of the newest sample in any."""

    digest: bytes
    last_ms: int


class Held(NamedTuple):
    """A statement that the outbox knows; ``state`` as in the table."""

    id: int
    kind: Kind
    digest: bytes
    state: str


class Backlog(NamedTuple):
    """Statements without receipt, refused ones left out."""

    statements: int
    size: int


class Keep(NamedTuple):
    """How long and how much of a settled state is kept."""

    state: str
    age_ms: int
    bytes_max: int


KEEP = (
    Keep("receipted", 7 * _DAY_MS, 256 << 20),
    Keep("refused", 30 * _DAY_MS, 64 << 20),
    Keep("dropped", 7 * _DAY_MS, 1 << 20),
)


class Outbox:
    """The one owner of the file. Not for use from several threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, connect: Connect = sqlite3.connect) -> Self:
        """Open or create the file; ``OutboxUnusable`` when it is none of ours."""
        path.touch(mode=0o600)
        try:
            connection = connect(str(path))
            try:
                connection.isolation_level = None
                for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
                    connection.execute(f"PRAGMA {pragma}")
                prepare(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.DatabaseError as error:
            raise OutboxUnusable(f"{path} cannot be used: {error}") from error
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def chain(self) -> ChainHead | None:
        """Where the chain ends; None on a device's first start."""
        row = self._connection.execute("SELECT digest, last_ms FROM chain").fetchone()
        return None if row is None else ChainHead(*row)

    def journal(self, opened: OpenSegment, samples_from: int, events_from: int) -> None:
        """Make the open segment survive a power cut; the parts before the indices already do."""
        samples = [
            (s.t_ms - opened.t0, cbor2.dumps(dict(s.cells))) for s in opened.samples[samples_from:]
        ]
        events = [
            (position, event.offset_ms, event.event_id, cbor2.dumps(dict(event.detail)))
            for position, event in enumerate(opened.events)
        ]
        head = (opened.boot, opened.seq, opened.t0, opened.mono, *opened.clock, opened.gap_from_ms)
        with self._transaction() as execute:
            execute("INSERT OR REPLACE INTO journal VALUES (1, ?, ?, ?, ?, ?, ?, ?)", head)
            for row in samples:
                execute("INSERT INTO journal_sample VALUES (?, ?)", row)
            for entry in events[events_from:]:
                execute("INSERT INTO journal_event VALUES (?, ?, ?, ?)", entry)

    def journalled(self) -> OpenSegment | None:
        """The open segment that an earlier run left behind."""
        execute = self._connection.execute
        head = execute(
            "SELECT boot, seq, t0, mono, clock_source, clock_uncertainty_ms, gap_from_ms"
            " FROM journal"
        ).fetchone()
        if head is None:
            return None
        boot, seq, t0, mono, source, uncertainty_ms, gap_from_ms = head
        opened = OpenSegment(boot, seq, t0, mono, ClockQuality(source, uncertainty_ms), gap_from_ms)
        for offset_ms, cells in execute(
            "SELECT offset_ms, cells FROM journal_sample ORDER BY offset_ms"
        ):
            opened.add(Sample(t0 + offset_ms, cbor2.loads(cells)))
        for offset_ms, event, detail in execute(
            "SELECT offset_ms, event, detail FROM journal_event ORDER BY position"
        ):
            opened.events.append(SegmentEvent(offset_ms, event, cbor2.loads(detail)))
        return opened

    def seal(
        self,
        sealed: Sequence[Sealed],
        last_sample_ms: int,
        now_ms: int,
        drop: Sequence[int] = (),
    ) -> None:
        """Statements in, journal out, what a full outbox drops marked: one transaction."""
        with self._transaction() as execute:
            for s in sealed:
                execute(
                    "INSERT INTO statement"
                    " (kind, boot, seq, digest, raw, size, from_ms, to_ms, state, since_ms)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sealed', ?)",
                    (int(s.kind), s.boot, s.seq, s.digest, s.raw, len(s.raw), *s.covers, now_ms),
                )
            for statement_id in drop:
                execute(
                    "UPDATE statement SET state = 'dropped', raw = NULL, size = 64, since_ms = ?"
                    " WHERE id = ? AND state = 'sealed'",
                    (now_ms, statement_id),
                )
            if sealed:
                execute(
                    "INSERT OR REPLACE INTO chain VALUES (1, ?, ?)",
                    (sealed[-1].digest, last_sample_ms),
                )
            for table in ("journal_sample", "journal_event", "journal"):
                execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables

    def oldest_unsent(self, size: int) -> tuple[list[int], Dropped | None]:
        """The oldest segments without receipt that take up at least ``size`` bytes."""
        ids: list[int] = []
        begin, end = 0, 0
        for statement_id, bytes_, from_ms, to_ms in self._connection.execute(
            "SELECT id, size, from_ms, to_ms FROM statement"
            " WHERE state = 'sealed' AND kind = ? ORDER BY id",
            (int(Kind.SEGMENT),),
        ):
            if size <= 0:
                break
            begin = from_ms if not ids else min(begin, from_ms)
            end = max(end, to_ms)
            ids.append(statement_id)
            size -= bytes_
        return ids, Dropped(begin, end) if ids else None

    def unsent(self, after: int, limit: int) -> list[int]:
        """Ids of statements without receipt, oldest first, from the one after ``after`` on."""
        rows = self._connection.execute(
            "SELECT id FROM statement WHERE state = 'sealed' AND id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [row[0] for row in rows]

    def raw(self, statement_id: int) -> bytes | None:
        """The bytes of a statement that has no receipt yet; None when it needs none any more."""
        row = self._connection.execute(
            "SELECT raw FROM statement WHERE id = ? AND state = 'sealed'", (statement_id,)
        ).fetchone()
        return None if row is None else row[0]

    def signed(self, state: str) -> Iterator[tuple[bytes, int, bytes]]:
        """Boot, seq and bytes of the statements in a state, the newest first."""
        yield from self._connection.execute(
            "SELECT boot, seq, raw FROM statement WHERE state = ? AND raw IS NOT NULL"
            " ORDER BY id DESC",
            (state,),
        )

    def held(self, names: Sequence[tuple[bytes, int]]) -> dict[tuple[bytes, int], Held]:
        """What is known of statements named by (boot, seq)."""
        found = {}
        for boot, seq in names:
            row = self._connection.execute(
                "SELECT id, kind, digest, state FROM statement WHERE boot = ? AND seq = ?",
                (boot, seq),
            ).fetchone()
            if row is not None:
                found[boot, seq] = Held(row[0], Kind(row[1]), row[2], row[3])
        return found

    def find(self, digest: bytes) -> Held | None:
        """What is known of the statement with this digest."""
        row = self._connection.execute(
            "SELECT id, kind, digest, state FROM statement WHERE digest = ?", (digest,)
        ).fetchone()
        return None if row is None else Held(row[0], Kind(row[1]), row[2], row[3])

    def receipted(self, leaves: Mapping[int, int], now_ms: int) -> None:
        """Statements (by id) that the log holds at these leaf indices; the receipt was verified."""
        with self._transaction() as execute:
            for statement_id, leaf in leaves.items():
                execute(
                    "UPDATE statement SET state = 'receipted', leaf = ?, since_ms = ?"
                    " WHERE id = ? AND state IN ('sealed', 'refused')",
                    (leaf, now_ms, statement_id),
                )

    def send_again(self, since_ms: int, now_ms: int) -> int:
        """Take back the receipts since then (UTC ms): the exchange lost the records. How many."""
        with self._transaction() as execute:
            return execute(
                "UPDATE statement SET state = 'sealed', leaf = NULL, since_ms = ?"
                " WHERE state = 'receipted' AND since_ms >= ?",
                (now_ms, since_ms),
            ).rowcount

    def refused(self, statement_id: int, cause: str, now_ms: int) -> None:
        """The exchange will never take this statement: set it aside."""
        with self._transaction() as execute:
            execute(
                "UPDATE statement SET state = 'refused', cause = ?, since_ms = ?"
                " WHERE id = ? AND state = 'sealed'",
                (cause, now_ms, statement_id),
            )

    def backlog(self) -> Backlog:
        """How much waits for a receipt."""
        return Backlog(
            *self._connection.execute(
                "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM statement WHERE state = 'sealed'"
            ).fetchone()
        )

    def counts(self) -> dict[str, int]:
        """Statements by state."""
        counts = dict.fromkeys(("sealed", "receipted", "refused", "dropped"), 0)
        return counts | dict(
            self._connection.execute("SELECT state, COUNT(*) FROM statement GROUP BY state")
        )

    def last_receipt_ms(self) -> int | None:
        """When the newest receipt came, by the system's clock."""
        row = self._connection.execute(
            "SELECT MAX(since_ms) FROM statement WHERE state = 'receipted'"
        ).fetchone()
        return None if row is None else row[0]

    def forget(self, now_ms: int, keep: Sequence[Keep] = KEEP) -> int:
        """Delete what was kept long enough, or does not fit any more; how many were deleted."""
        before = self._connection.total_changes
        with self._transaction() as execute:
            for state, age_ms, bytes_max in keep:
                execute(
                    "DELETE FROM statement WHERE state = ? AND since_ms < ?",
                    (state, now_ms - age_ms),
                )
                execute(
                    "DELETE FROM statement WHERE id IN (SELECT id FROM (SELECT id,"
                    " SUM(size) OVER (ORDER BY id DESC) AS newer FROM statement WHERE state = ?)"
                    " WHERE newer > ?)",
                    (state, bytes_max),
                )
        return self._connection.total_changes - before

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            yield execute
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
