import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox import Keep, Outbox
from edge_agent.outbox_schema import OutboxUnusable
from edge_agent.sampler import Sample
from edge_agent.sealer import Sealed
from schemas.kinds import Kind
from schemas.segment import SegmentEvent
from tests.edge_agent.opened import BOOT, SPEED, T0, WORKING_STATE, opened, sealer

NOW = T0 + 1_000_000
SEALER = sealer()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox.open(tmp_path / "outbox.sqlite")
    yield outbox
    outbox.close()


def put(outbox: Outbox, seq: int, samples: int = 3) -> list[Sealed]:
    """Journal and seal an open segment that goes on from what the outbox holds."""
    chain = outbox.chain()
    one = opened([{SPEED: seq + i, WORKING_STATE: 1} for i in range(samples)], seq)
    outbox.journal(one, 0, 0)
    sealed = SEALER.seal(one, chain.digest if chain else b"", 0)
    outbox.seal(sealed, one.last_ms, NOW)
    return sealed


def test_the_file_is_for_its_owner_only_and_commits_are_synced(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox.open(path)
    pragmas = [
        outbox._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode")
    ]
    outbox.close()

    assert path.stat().st_mode & 0o777 == 0o600
    assert pragmas == [2, "wal"]


def test_a_journal_gives_back_the_open_segment(outbox: Outbox) -> None:
    one = opened([{SPEED: 1}, {}, {SPEED: 2, WORKING_STATE: 3}], 5, T0 - 7_000)
    one.events.append(SegmentEvent(-20, 2, {1: "text"}))
    outbox.journal(one, 0, 0)
    one.add(Sample(T0 + 5_000, {SPEED: -9}))
    one.events.append(SegmentEvent(30, 1, {}))
    outbox.journal(one, 2, 1)

    assert outbox.journalled() == one


def test_sealing_takes_the_journals_place(outbox: Outbox) -> None:
    sealed = put(outbox, 0)

    assert outbox.journalled() is None
    assert outbox.unsent(0, 9) == [1, 2]
    assert [outbox.raw(i) for i in (1, 2)] == [s.raw for s in sealed]
    chain = outbox.chain()
    assert chain is not None
    assert chain.digest == sealed[-1].digest
    assert chain.last_ms == T0 + 2_000


def test_a_receipt_settles_and_keeps_the_bytes_for_a_while(outbox: Outbox) -> None:
    sealed = put(outbox, 0)
    outbox.receipted({1: 77}, NOW)

    assert outbox.unsent(0, 9) == [2]
    assert outbox.raw(1) is None
    assert outbox.counts()["receipted"] == 1
    held = outbox.find(sealed[0].digest)
    assert held is not None
    assert (held.kind, held.state) == (Kind.SEGMENT, "receipted")
    assert outbox.last_receipt_ms() == NOW


def test_a_refusal_for_ever_moves_aside_and_a_receipt_may_still_come(outbox: Outbox) -> None:
    put(outbox, 0)
    outbox.refused(1, "malformed", NOW)

    assert outbox.unsent(0, 9) == [2]
    assert outbox.counts()["refused"] == 1
    outbox.receipted({1: 5}, NOW)
    assert outbox.counts()["refused"] == 0


def test_a_receipted_statement_cannot_be_refused(outbox: Outbox) -> None:
    put(outbox, 0)
    outbox.receipted({1: 5}, NOW)
    outbox.refused(1, "malformed", NOW)

    assert outbox.counts()["receipted"] == 1


def test_what_is_dropped_is_the_oldest_and_leaves_its_digest(outbox: Outbox) -> None:
    sealed = put(outbox, 0) + put(outbox, 2)
    ids, dropped = outbox.oldest_unsent(1)
    assert ids == [1]
    assert dropped is not None
    assert (dropped.from_ms, dropped.to_ms) == (T0, T0 + 2_000)

    outbox.seal([], T0, NOW, ids)

    assert outbox.unsent(0, 9) == [2, 3, 4]
    assert outbox.counts()["dropped"] == 1
    held = outbox.held([(BOOT, 0)])[BOOT, 0]
    assert held.digest == sealed[0].digest


def test_gaps_are_never_dropped(outbox: Outbox) -> None:
    one = opened([{SPEED: 1}], 0, T0 - 60_000)
    outbox.seal(SEALER.seal(one, bytes(32), 0), T0, NOW)

    assert outbox.oldest_unsent(1 << 30)[0] == [2]


def test_settled_statements_are_forgotten_by_age_and_by_size(outbox: Outbox) -> None:
    for seq in range(0, 8, 2):
        put(outbox, seq)
    outbox.receipted({1: 1, 2: 2}, NOW - 100)
    outbox.receipted({3: 3, 4: 4, 5: 5}, NOW)
    size = len(SEALER.seal(opened([{SPEED: 1}]), b"", 0)[0].raw)

    assert outbox.forget(NOW, [Keep("receipted", 50, 1 << 30)]) == 2
    assert outbox.forget(NOW, [Keep("receipted", 50, size * 2 + size // 2)]) == 1
    assert set(outbox.held([(BOOT, seq) for seq in range(8)])) == {
        (BOOT, seq) for seq in range(3, 8)
    }


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    with pytest.raises(OutboxUnusable, match="something else"):
        Outbox.open(path)


def test_a_file_that_is_no_database_is_named_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"not a database" * 100)

    opened: list[sqlite3.Connection] = []

    def connect(name: str) -> sqlite3.Connection:
        opened.append(sqlite3.connect(name))
        return opened[0]

    with pytest.raises(OutboxUnusable, match=r"outbox\.sqlite"):
        Outbox.open(path, connect)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_the_outbox_of_a_newer_agent_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox.open(path)
    outbox._connection.execute("PRAGMA user_version = 999")
    outbox.close()

    with pytest.raises(OutboxUnusable, match="newer agent"):
        Outbox.open(path)


class Killed(Exception):
    """The power went."""


class DyingConnection(sqlite3.Connection):
    """Copies the files and dies at one statement: before it, or after it with the answer lost."""

    countdown: int
    after: bool
    copy: Callable[[], object]

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self.countdown -= 1
        if self.countdown == 0 and not self.after:
            self.copy()
            raise Killed
        cursor = super().execute(*args)
        if self.countdown == 0:
            self.copy()
            raise Killed
        return cursor


@pytest.mark.parametrize("after", [False, True], ids=["failed", "done, answer lost"])
def test_a_power_cut_at_any_statement_loses_nothing_that_was_journalled_or_sealed(
    tmp_path: Path, after: bool
) -> None:
    countdown, ended = 0, False
    while not ended:
        countdown += 1
        live, dead = tmp_path / f"live{countdown}", tmp_path / f"dead{countdown}"
        progress = Progress()
        ended = not dies(live, dead, countdown, after, progress)
        check_after_power_cut(live if ended else dead, progress)

    assert countdown > 30


class Progress:
    """How far a scenario had come, as its caller knows: each operation that returned."""

    journalled = 0
    sealed = 0
    receipted = False


def dies(live: Path, dead: Path, countdown: int, after: bool, progress: Progress) -> bool:
    """Run the scenario until the given statement; whether it was reached."""
    live.mkdir()

    def connect(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, factory=DyingConnection)
        connection.countdown, connection.after = countdown, after
        connection.copy = partial(shutil.copytree, live, dead)
        return connection

    outbox = None
    try:
        outbox = Outbox.open(live / "outbox.sqlite", connect)
        scenario(outbox, progress)
    except Killed:
        return True
    finally:
        if outbox is not None:
            outbox._connection.countdown = -1  # type: ignore[attr-defined]
            outbox.close()
    return False


def scenario(outbox: Outbox, progress: Progress) -> None:
    one = opened([{SPEED: i, WORKING_STATE: 1} for i in range(4)])
    for upto in (2, 4):
        partly = opened([{SPEED: i, WORKING_STATE: 1} for i in range(upto)])
        outbox.journal(partly, upto - 2, 0)
        progress.journalled = upto
    outbox.seal(SEALER.seal(one, b"", 0), one.last_ms, NOW)
    progress.sealed, progress.journalled = 2, 0
    outbox.receipted({1: 9, 2: 10}, NOW)
    progress.receipted = True
    outbox.forget(NOW)


def check_after_power_cut(folder: Path, progress: Progress) -> None:
    """Everything known to be done is there; what was under way is there wholly or not at all."""
    outbox = Outbox.open(folder / "outbox.sqlite")
    try:
        journalled, counts = outbox.journalled(), outbox.counts()
        samples = len(journalled.samples) if journalled else 0
        statements = sum(counts.values())
        chain = outbox.chain()
        assert statements in (0, 2)
        assert (chain is not None) == (statements == 2)
        assert not (samples and statements)
        if progress.sealed:
            assert statements == 2
        elif not statements:
            assert samples in (progress.journalled, progress.journalled + 2)
        if progress.receipted:
            assert counts["receipted"] == 2
        assert counts["receipted"] in (0, 2)
    finally:
        outbox.close()
