"""The exchange's rounds on a real log with real witnesses: final checkpoints, served and kept."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection

from exchange.settings import Settings
from exchange.transparency import repository as log
from exchange.transparency.model import Published
from exchange.transparency.signer import LogSigner
from exchange.witnesses.process import follow
from exchange.witnesses.repository import newest_final
from ledger.checkpoint import open_checkpoint
from ledger.fence import FileFence
from ledger.note import Ed25519NoteSigner, parse_note
from ledger.policy import Policy, parse_policy
from ledger.witness.cosigned import cosigned_by
from tests.exchange.witnesses import misbehaving as habits
from tests.haulproof.log.witness.process import WitnessProcess
from tests.ledger.witness.logs import SmallLog, ed25519_witness

T = TypeVar("T")

ORIGIN = "example.org/log"
_DEADLINE_S = 30.0


class LogUnderTest:
    """A log in a database, its signer and its key."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.conn: Connection[Any] = psycopg.connect(url, autocommit=True)
        self.key = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        self._signer = LogSigner(self.conn, FileFence(folder / "fence"), self.key)

    def grow(self, leaves: int) -> Published:
        """Append, and sign."""
        with self.conn.transaction():
            log.append_leaves(self.conn, [(1, bytes(32))] * leaves)
        published = self._signer.turn()
        assert published is not None
        return published

    @contextmanager
    def asking(self, policy: Policy) -> Iterator[None]:
        """The rounds, as their process holds them."""
        settings = Settings(witness_timeout_ms=500, witness_wait_ms=100)
        stop = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                with psycopg.connect(self.url, autocommit=True) as conn:
                    asyncio.run(follow(conn, policy, settings, stop))
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_DEADLINE_S)
        assert not failed

    def until_final(self, size: int) -> Published:
        """The final checkpoint of this size, as soon as there is one."""
        return until(lambda: _of_size(newest_final(self.conn), size))

    def rounds(self) -> list[tuple[int, bool]]:
        rows = self.conn.execute("SELECT size, final FROM witness_round ORDER BY size, held_at")
        return [(size, final) for size, final in rows]


def _of_size(found: Published | None, size: int) -> Published | None:
    return found if found is not None and found.size == size else None


def until(look: Callable[[], T | None]) -> T:
    """What ``look`` gives once it gives something."""
    deadline = time.monotonic() + _DEADLINE_S
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture
def small_log(postgres: str, tmp_path: Path) -> Iterator[LogUnderTest]:
    made = LogUnderTest(postgres, tmp_path)
    yield made
    made.conn.close()


@pytest.fixture
def witness(small_log: LogUnderTest, tmp_path: Path) -> Iterator[WitnessProcess]:
    started = WitnessProcess(tmp_path / "w", f"{small_log.key.vkey}\n")
    yield started
    started.kill()


def test_checkpoints_become_final_with_cosignatures_of_both_forms(
    small_log: LogUnderTest, witness: WitnessProcess
) -> None:
    policy = parse_policy(f"{witness.policy_lines()}quorum w\n".encode())

    with small_log.asking(policy):
        for leaves in (1, 300, 7):
            published = small_log.grow(leaves)
            final = small_log.until_final(published.size)
            assert open_checkpoint(final.note, small_log.key.vkey).head.root == published.root
            found = cosigned_by(parse_note(final.note), policy.witnesses)
            assert found.times_s.keys() == {"w-ed25519", "w-ml-dsa"}

    assert small_log.rounds() == [(1, True), (301, True), (308, True)]
    assert log.published(small_log.conn) == published


def test_a_witness_that_comes_back_makes_what_waited_final(
    small_log: LogUnderTest, witness: WitnessProcess
) -> None:
    """It is killed and starts again at another address: the exchange is told, as its operator."""
    policy = parse_policy(f"{witness.policy_lines()}quorum w\n".encode())
    with small_log.asking(policy):
        small_log.until_final(small_log.grow(5).size)
        witness.kill()
        newest = small_log.grow(5)
    witness.start()
    policy = parse_policy(f"{witness.policy_lines()}quorum w\n".encode())

    with small_log.asking(policy):
        small_log.until_final(newest.size)

    assert small_log.rounds() == [(5, True), (10, True)]


def test_a_round_without_a_quorum_is_repeated_and_keeps_what_it_had(
    small_log: LogUnderTest, witness: WitnessProcess
) -> None:
    other = ed25519_witness(5, "other.example")
    answers = iter([habits.answering(500, b""), habits.cosigning(other)])

    def at_second_try(request: bytes, out: Any) -> None:
        next(answers)(request, out)

    with habits.serving(at_second_try) as url:
        lines = f"{witness.policy_lines()}witness o {other.vkey} {url}\ngroup all all w o\n"
        policy = parse_policy(f"{lines}quorum all\n".encode())
        published = small_log.grow(3)
        with small_log.asking(policy):
            final = small_log.until_final(published.size)

    assert small_log.rounds() == [(3, False), (3, True)]
    names = cosigned_by(parse_note(final.note), policy.witnesses).times_s.keys()
    assert names == {"w-ed25519", "w-ml-dsa", "o"}


def test_the_log_goes_on_while_no_witness_answers(small_log: LogUnderTest) -> None:
    key = ed25519_witness(6).vkey
    policy = parse_policy(f"witness w {key} {habits.closed_port()}\nquorum w\n".encode())

    with small_log.asking(policy):
        sizes = [small_log.grow(2).size for _ in range(3)]

    assert sizes == [2, 4, 6]
    assert small_log.rounds() == []
    assert newest_final(small_log.conn) is None


def test_a_witness_that_saw_another_history_cosigns_nothing_more(
    small_log: LogUnderTest, witness: WitnessProcess, postgres: str, tmp_path: Path
) -> None:
    """The log's own key signs a fork, as after a restore without a fence: no round is final."""
    fork = SmallLog(30, origin=ORIGIN)
    fork.signer = small_log.key
    assert witness.post(fork.body(0, 10)).status_code == 200
    policy = parse_policy(f"{witness.policy_lines()}quorum w\n".encode())

    with small_log.asking(policy):
        small_log.grow(20)
        until(lambda: witness.post(fork.body(0, 1)).text == "10\n" or None)
        small_log.grow(1)

    assert small_log.rounds() == []


def test_without_a_quorum_in_the_policy_no_checkpoint_is_final_and_a_round_is_not_repeated(
    small_log: LogUnderTest, witness: WitnessProcess
) -> None:
    policy = parse_policy(f"{witness.policy_lines()}quorum none\n".encode())

    with small_log.asking(policy):
        for size in (3, 6):
            small_log.grow(3)
            until(lambda size=size: (size, False) in small_log.rounds() or None)  # type: ignore[misc]

    assert small_log.rounds() == [(3, False), (6, False)]
    assert newest_final(small_log.conn) is None


def test_a_restart_loses_no_cosignature_and_asks_for_none_again(
    small_log: LogUnderTest, witness: WitnessProcess
) -> None:
    """What one witness gave is there after it has gone, and the process began anew."""
    other = ed25519_witness(5, "other.example")
    seen: list[bytes] = []

    def honest(request: bytes, out: Any) -> None:
        seen.append(request)
        habits.cosigning(other)(request, out)

    lines = witness.policy_lines()
    gone = habits.closed_port()
    published = small_log.grow(3)
    both = "group all all w o\nquorum all\n"
    with small_log.asking(parse_policy(f"{lines}witness o {other.vkey} {gone}\n{both}".encode())):
        until(lambda: small_log.rounds() or None)
    witness.kill()

    with habits.serving(honest) as url:
        policy = parse_policy(f"{lines}witness o {other.vkey} {url}\n{both}".encode())
        with small_log.asking(policy):
            final = small_log.until_final(published.size)

    names = cosigned_by(parse_note(final.note), policy.witnesses).times_s.keys()
    assert names == {"w-ed25519", "w-ml-dsa", "o"}
    assert small_log.rounds() == [(3, False), (3, True)]


def test_the_fullest_of_the_rounds_is_served(small_log: LogUnderTest) -> None:
    published = small_log.grow(3)
    for note in (published.note + b"more", published.note):
        small_log.conn.execute(
            "INSERT INTO witness_round (size, note, final) VALUES (3, %s, true)", [note]
        )

    found = newest_final(small_log.conn)

    assert found is not None
    assert found.note == published.note + b"more"
