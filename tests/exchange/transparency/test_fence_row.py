"""The fence in another PostgreSQL: the contract of every fence, its server's faults, and races."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, conninfo, sql

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.postgres_cluster import RUNTIME_ROLE
from exchange.transparency import repository as log
from exchange.transparency.fence_row import FenceUnfit, RowFence, system_identifier
from exchange.transparency.signer import LogSigner
from ledger.checkpoint import open_checkpoint
from ledger.fence import Fence, FenceMoved, FenceUncertain
from ledger.merkle import EMPTY_ROOT, consistency_proof, verify_consistency
from ledger.note import Ed25519NoteSigner
from ledger.signing import SigningRefused
from tests.exchange.conftest import fresh_database
from tests.exchange.fence_table import make_fence_table
from tests.exchange.owner import owner_url
from tests.faults.proxy import Proxy, Upstream
from tests.ledger.fence_contract import Faulty, FenceContract

ORIGIN = "example.org/log"
OTHER_SERVER = 0
"""Stands for the server of the exchange's own records; these tests have one server only."""

_FAIL_ONCE = """
CREATE SEQUENCE swaps;
GRANT USAGE ON swaps TO PUBLIC;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('swaps') = 1 THEN
        RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail_once BEFORE UPDATE ON haulproof_fence FOR EACH ROW EXECUTE FUNCTION fail_once();
"""


@pytest.fixture
def superuser(postgres_server: EmbeddedPostgres) -> Iterator[Connection[Any]]:
    """In a database with the fence's table, as the operator makes it."""
    with fresh_database(postgres_server, "template1") as url:
        name = url.partition("@/")[2].partition("?")[0]
        as_superuser = conninfo.make_conninfo(postgres_server.superuser_url, dbname=name)
        with psycopg.connect(as_superuser, autocommit=True) as connection:
            make_fence_table(connection)
            yield connection


@pytest.fixture
def fence_url(superuser: Connection[Any], postgres_server: EmbeddedPostgres) -> str:
    return conninfo.make_conninfo(postgres_server.url, dbname=superuser.info.dbname)


@pytest.fixture
def fence(fence_url: str) -> Iterator[RowFence]:
    with closing(RowFence(fence_url, ORIGIN, OTHER_SERVER)) as made:
        yield made


@pytest.fixture
def proxy(exchange_directory: Directory) -> Iterator[Proxy]:
    with closing(Proxy(Upstream(exchange_directory.postgres / ".s.PGSQL.5432"))) as made:
        yield made


@pytest.fixture
def far_fence(fence_url: str, proxy: Proxy) -> Iterator[RowFence]:
    """Behind a network that can be bad."""
    far = conninfo.make_conninfo(fence_url, host="127.0.0.1", port=proxy.port)
    with closing(RowFence(far, ORIGIN, OTHER_SERVER)) as made:
        yield made


class _LosingAnswer:
    """The answer to the next swap is cut off, and the network is well again."""

    def __init__(self, fence: RowFence, proxy: Proxy) -> None:
        self._fence, self._proxy, self._losing = fence, proxy, False

    def lose(self) -> None:
        self._losing = True

    def read(self) -> bytes | None:
        return self._fence.read()

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        if self._losing:
            self._losing = False
            self._proxy.truncate(1)
        try:
            self._fence.compare_and_swap(expected, new)
        finally:
            self._proxy.heal()


@pytest.fixture
def faulty(far_fence: RowFence, proxy: Proxy, superuser: Connection[Any]) -> Faulty:
    losing = _LosingAnswer(far_fence, proxy)

    def fail() -> None:
        superuser.execute(_FAIL_ONCE)

    return losing, fail, losing.lose


class TestRowFence(FenceContract):
    pass


def test_a_first_value_whose_answer_is_lost_is_there(far_fence: RowFence, proxy: Proxy) -> None:
    assert far_fence.read() is None

    proxy.truncate(1)
    with pytest.raises(FenceUncertain, match="answer was lost"):
        far_fence.compare_and_swap(None, b"first")
    proxy.heal()

    assert far_fence.read() == b"first"


def test_a_swap_that_never_arrived_is_uncertain_too_and_changed_nothing(
    far_fence: RowFence, proxy: Proxy
) -> None:
    far_fence.compare_and_swap(None, b"first")

    proxy.drop()
    with pytest.raises(FenceUncertain):
        far_fence.compare_and_swap(b"first", b"second")
    with pytest.raises(OSError, match="does not serve"):
        far_fence.read()
    with pytest.raises(OSError, match="does not serve"):
        far_fence.compare_and_swap(b"first", b"second")
    proxy.heal()

    assert far_fence.read() == b"first"


def test_each_log_has_a_row_of_its_own(fence_url: str, fence: RowFence) -> None:
    fence.compare_and_swap(None, b"first")

    with closing(RowFence(fence_url, "example.org/other", OTHER_SERVER)) as other:
        assert other.read() is None


def test_the_fences_role_cannot_remove_what_was_signed(fence_url: str, fence: RowFence) -> None:
    fence.compare_and_swap(None, b"first")

    with psycopg.connect(fence_url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DELETE FROM haulproof_fence")


def test_the_server_of_the_exchanges_own_records_is_refused(fence_url: str) -> None:
    with psycopg.connect(fence_url) as conn:
        own = system_identifier(conn)

    with (
        closing(RowFence(fence_url, ORIGIN, own)) as fence,
        pytest.raises(FenceUnfit, match="choose another server"),
    ):
        fence.read()


def test_a_database_without_the_table_is_told(empty_postgres: str) -> None:
    with (
        closing(RowFence(empty_postgres, ORIGIN, OTHER_SERVER)) as fence,
        pytest.raises(FenceUnfit, match=r"make it once, as in docs/examples/fence\.sql"),
    ):
        fence.read()


def test_a_server_that_may_lose_what_it_committed_is_refused(
    fence_url: str, superuser: Connection[Any]
) -> None:
    superuser.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET synchronous_commit = off").format(
            sql.Identifier(RUNTIME_ROLE), sql.Identifier(superuser.info.dbname)
        )
    )

    with (
        closing(RowFence(fence_url, ORIGIN, OTHER_SERVER)) as fence,
        pytest.raises(FenceUnfit, match="turn on synchronous_commit"),
    ):
        fence.read()


class Exchange:
    """One of the exchanges that race: its own connection to its records, and to the fence."""

    def __init__(self, stack: ExitStack, postgres: str, fence_url: str, key: Ed25519NoteSigner):
        self.conn = stack.enter_context(psycopg.connect(postgres, autocommit=True))
        fence = RowFence(fence_url, key.vkey.name, OTHER_SERVER)
        self.fence: Fence = stack.enter_context(closing(fence))
        self.signer = LogSigner(self.conn, self.fence, key)
        self.stopped_by: list[str] = []

    def grow(self, count: int, digest: bytes) -> None:
        with self.conn.transaction():
            log.append_leaves(self.conn, [(1, digest * 32)] * count)

    def try_turns(self, count: int, digest: bytes) -> None:
        """Grow and sign, as often; what refuses is noted."""
        for _ in range(count):
            self.grow(3, digest)
            try:
                self.signer.turn()
            except (FenceMoved, SigningRefused) as refused:
                self.stopped_by.append(type(refused).__name__)

    def notes(self) -> list[bytes]:
        rows = self.conn.execute("SELECT note FROM checkpoint ORDER BY size")
        return [bytes(row[0]) for row in rows]


def at_once(*work: Callable[[], None]) -> None:
    """Run all of it in threads that begin together."""
    barrier, failures = threading.Barrier(len(work)), []

    def run(one: Callable[[], None]) -> None:
        try:
            barrier.wait(10)
            one()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def check_one_history(conn: Connection[Any], notes: list[bytes], key: Ed25519NoteSigner) -> None:
    """All notes are checkpoints of the tree in this database."""
    newest = log.head(conn).size
    for note in notes:
        head = open_checkpoint(note, key.vkey).head
        if head.size:
            proof = consistency_proof(log.node_reader(conn, newest), head.size, newest)
            verify_consistency(head.size, newest, proof, head.root, log.head(conn).root)


@pytest.fixture
def second_postgres(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, migrated_template) as url:
        yield url


def test_two_exchanges_whose_databases_parted_never_sign_two_histories(
    postgres: str, second_postgres: str, fence_url: str, exchange_directory: Directory
) -> None:
    """Both believe to be the one, both have the key: only one ever gets past the fence."""
    refusals = set()
    for attempt in range(8):
        key = Ed25519NoteSigner(f"example.org/{attempt}", Ed25519PrivateKey.generate())
        with ExitStack() as stack:
            for url in (postgres, second_postgres):
                empty(owner_url(exchange_directory, url))
            ours, theirs = (
                Exchange(stack, url, fence_url, key) for url in (postgres, second_postgres)
            )

            at_once(partial(ours.try_turns, 4, b"o"), partial(theirs.try_turns, 4, b"t"))

            assert [bool(one.notes()) for one in (ours, theirs)].count(True) == 1
            winner, loser = (ours, theirs) if ours.notes() else (theirs, ours)
            fenced = winner.fence.read()
            assert fenced is not None
            check_one_history(winner.conn, [*winner.notes(), fenced], key)
            assert len(loser.stopped_by) == 4
            refusals.update(loser.stopped_by)
    assert refusals <= {"FenceMoved", "ForkedLog", "LogBehindFence"}


def test_two_exchanges_on_one_database_take_turns_at_one_history(
    postgres: str, fence_url: str
) -> None:
    """Without the advisory lock, which only chooses who tries."""
    key = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    with ExitStack() as stack:
        ours, theirs = (Exchange(stack, postgres, fence_url, key) for _ in range(2))

        at_once(partial(ours.try_turns, 15, b"o"), partial(theirs.try_turns, 15, b"t"))
        ours.signer.turn()

        fenced = ours.fence.read()
        assert fenced is not None
        check_one_history(ours.conn, [*ours.notes(), fenced], key)
        assert open_checkpoint(fenced, key.vkey).head.size == 90
        assert set(ours.stopped_by + theirs.stopped_by) <= {"FenceMoved", "LogBehindFence"}


@pytest.mark.parametrize("arrived", [False, True], ids=["failed", "answer lost"])
def test_a_swap_without_an_answer_leaves_one_history(
    postgres: str, fence_url: str, proxy: Proxy, arrived: bool
) -> None:
    key = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    far = conninfo.make_conninfo(fence_url, host="127.0.0.1", port=proxy.port)
    with ExitStack() as stack:
        exchange = Exchange(stack, postgres, far, key)
        real = exchange.fence.compare_and_swap

        def cut(expected: bytes | None, new: bytes) -> None:
            if arrived:
                proxy.truncate(1)
            else:
                proxy.drop()
            real(expected, new)

        exchange.grow(5, b"a")
        exchange.signer.turn()
        exchange.grow(2, b"b")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exchange.fence, "compare_and_swap", cut)
            with pytest.raises(FenceUncertain):
                exchange.signer.turn()
        proxy.heal()
        exchange.grow(4, b"c")
        exchange.signer.turn()

        check_one_history(exchange.conn, exchange.notes(), key)
        sizes = [open_checkpoint(note, key.vkey).head.size for note in exchange.notes()]
        assert sizes == ([5, 7, 11] if arrived else [5, 11])


def empty(as_owner: str) -> None:
    with psycopg.connect(as_owner) as owner:
        owner.execute("TRUNCATE leaf, tile, checkpoint CASCADE")
        owner.execute("UPDATE tree_head SET size = 0, root = %s", [EMPTY_ROOT])
