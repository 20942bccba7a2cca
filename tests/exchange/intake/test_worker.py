"""What a worker does when the store fails: nothing lost, nothing twice, nothing blocked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.intake import verification
from exchange.intake.model import Message, Parsed
from exchange.intake.verification import Keys, VerifiedBatch
from exchange.intake.worker import Worker
from exchange.transparency.model import LogDamaged
from schemas.errors import Reason
from schemas.segment import SegmentEvent
from tests.exchange.intake.trucks import NOW, ORIGIN, Truck, admit
from tests.exchange.intake.whole_store import check_store, committed_digests


class FailingConnection(psycopg.Connection[Any]):
    """Breaks at one chosen transaction, before its commit or after it."""

    fails_at = 0
    committed_first = False
    begun = 0

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        FailingConnection.begun += 1
        fails = FailingConnection.begun == FailingConnection.fails_at
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if fails and not FailingConnection.committed_first:
                raise psycopg.OperationalError("the server went away before the commit")
        if fails:
            self.close()
            raise psycopg.OperationalError("the answer to the commit was lost")


@pytest.fixture
def failing(postgres: str) -> Iterator[Worker]:
    FailingConnection.begun = FailingConnection.fails_at = 0
    made = Worker(lambda: FailingConnection.connect(postgres), ORIGIN, lambda: NOW)
    yield made
    made.close()


@pytest.mark.parametrize("committed", [False, True], ids=["failed", "answer lost"])
@pytest.mark.parametrize("at", [1, 2], ids=["records", "quarantine"])
def test_a_batch_whose_commit_fails_is_handed_in_again_without_harm(
    conn: Connection[Any], failing: Worker, at: int, committed: bool
) -> None:
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment(), truck.gap(), truck.segment()]
    messages = [truck.message(raw) for raw in [*raws, b"noise"]]
    FailingConnection.fails_at, FailingConnection.committed_first = at, committed

    with pytest.raises(psycopg.OperationalError):
        failing.handle(messages)
    result = failing.handle(messages)

    assert len(result.committed) + len(result.duplicates) == 3
    assert len(result.committed) == (0 if committed or at == 2 else 3)
    assert [one.reason for one in result.refused] == [Reason.MALFORMED]
    assert committed_digests(conn) == [sha256(raw).digest() for raw in raws]
    assert check_store(conn) == 4
    kept = conn.execute("SELECT times FROM quarantine").fetchall()
    assert kept == [(2 if committed and at == 2 else 1,)]


def test_a_lost_connection_is_opened_again(conn: Connection[Any], worker: Worker) -> None:
    truck = Truck()
    admit(conn, truck)
    worker.handle([truck.message(truck.segment())])
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    message = truck.message(truck.segment())

    with pytest.raises(psycopg.OperationalError):
        worker.handle([message])

    assert len(worker.handle([message]).committed) == 1


def test_one_message_that_breaks_the_code_is_kept_aside_and_the_rest_committed(
    conn: Connection[Any], worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment() for _ in range(7)]
    real = verification.verify_batch

    def verify_batch(batch: Sequence[Parsed], keys: Keys) -> VerifiedBatch:
        if any(parsed.message.payload == raws[4] for parsed in batch):
            raise ZeroDivisionError("a fault of ours")
        return real(batch, keys)

    monkeypatch.setattr("exchange.intake.batch.verify_batch", verify_batch)
    result = worker.handle([truck.message(raw) for raw in raws])

    assert len(result.committed) == 6
    (aside,) = result.refused
    assert (aside.reason, aside.permanent) == (Reason.UNSUPPORTED, False)
    assert "ZeroDivisionError" in aside.detail
    monkeypatch.undo()
    assert len(worker.handle([truck.message(raws[4])]).committed) == 1
    check_store(conn)


def test_a_batch_that_inflates_to_too_much_is_taken_in_parts(
    conn: Connection[Any], worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment(), truck.segment(events=(SegmentEvent(0, 1, {}),)), truck.segment()]
    monkeypatch.setattr("exchange.derive.payloads.INFLATED_TOGETHER_MAX", 10)

    result = worker.handle([truck.message(raw) for raw in raws])

    assert [one.identity.seq for one in result.committed] == [0, 1, 2]
    assert result.refused == []
    check_store(conn)


def test_data_that_the_database_will_not_have_is_kept_aside(
    conn: Connection[Any], owner: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    owner.execute("ALTER TABLE segment ADD CHECK (seq <> 2)")

    result = worker.handle([truck.message(truck.segment()) for _ in range(4)])

    assert [one.identity.seq for one in result.committed] == [0, 1, 3]
    assert [one.detail for one in result.refused] == ["could not be judged: CheckViolation"]
    check_store(conn)


def test_a_store_that_is_not_itself_is_nobody_s_message_s_fault(
    conn: Connection[Any], owner: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    message: Message = truck.message(truck.segment())
    owner.execute("ALTER TABLE tree_head RENAME TO mislaid")
    with pytest.raises(psycopg.errors.UndefinedTable):
        worker.handle([message])
    owner.execute("ALTER TABLE mislaid RENAME TO tree_head")
    owner.execute("DELETE FROM tree_head")
    with pytest.raises(LogDamaged):
        worker.handle([message])

    assert conn.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
