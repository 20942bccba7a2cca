"""Intake end to end: a real broker in front, a real store behind, a signer beside it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from exchange.embedded.nats import EmbeddedNats
from exchange.intake.jetstream import JetStreamQueue
from exchange.intake.model import Message
from exchange.intake.queue import BrokerError
from exchange.intake.repository import quarantine_counts
from schemas.errors import Reason
from schemas.kinds import Kind
from tests.exchange.conftest import Broker
from tests.exchange.intake.running import LIMITS, Running, running
from tests.exchange.intake.test_worker import FailingConnection
from tests.exchange.intake.trucks import Truck, admit
from tests.exchange.intake.whole_store import check_store, committed_digests

pytestmark = pytest.mark.anyio


def digest(raw: bytes) -> bytes:
    return sha256(raw).digest()


async def receipted(run: Running, raws: Sequence[bytes], times: int = 1) -> None:
    await run.until(
        lambda: all(len(run.ears.receipts.get(digest(raw), [])) >= times for raw in raws),
        "a receipt of every statement",
    )


async def test_trucks_hear_of_receipts_that_verify(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    trucks = [Truck(f"dev-{n}") for n in range(5)]
    admit(conn, *trucks)
    sent = [(truck, truck.segment()) for _ in range(30) for truck in trucks]
    sent += [(truck, truck.gap()) for truck in trucks]

    async with running(nats, postgres, tmp_path) as run:
        for truck, raw in sent:
            await run.send(truck, raw)
        await receipted(run, [raw for _, raw in sent])

    assert check_store(conn) == 5 + len(sent)
    assert sorted(committed_digests(conn)) == sorted(digest(raw) for _, raw in sent)
    assert all(len(set(indices)) == 1 for indices in run.ears.receipts.values())


async def test_a_second_copy_hears_of_the_first_one_s_place(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    truck = Truck()
    admit(conn, truck)
    raw = truck.segment()

    async with running(nats, postgres, tmp_path) as run:
        await run.send(truck, raw, truck.segment())
        await receipted(run, [raw])
        await run.send(truck, raw)
        await receipted(run, [raw], times=2)

    assert run.ears.receipts[digest(raw)] == [1, 1]
    assert check_store(conn) == 3


async def test_what_is_wrong_is_refused_counted_kept_aside_and_stops_nothing(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    truck, unknown = Truck(), Truck("dev-9")
    admit(conn, truck)
    good = [truck.segment() for _ in range(20)]
    forged = bytearray(truck.segment())
    forged[-1] ^= 1
    wrong: dict[bytes, Reason] = {
        b"noise": Reason.MALFORMED,
        bytes(66_000): Reason.TOO_LARGE,
        bytes(forged): Reason.BAD_SIGNATURE,
        truck.segment(seq=3): Reason.EQUIVOCATION,
        truck.sign(Kind.TRIP, b"\xa0"): Reason.WRONG_TYPE,
        truck.sign(Kind.GAP, b"\xa0"): Reason.MALFORMED,
        unknown.segment(): Reason.WRONG_TOPIC,
    }

    async with running(nats, postgres, tmp_path) as run:
        await run.send(truck, *good[:10])
        await receipted(run, good[:10])
        await run.send(truck, *wrong, *good[10:])
        lost = unknown.segment()
        await run.send(unknown, lost)
        await receipted(run, good)
        await run.until(lambda: len(run.ears.refusals) == len(wrong) + 1, "every refusal")

    told = {refused.digest: refused for refused in run.ears.refusals.values()}
    for raw, reason in wrong.items():
        assert (told[digest(raw)].cause, told[digest(raw)].permanent) == (reason.value, True)
    assert told[digest(lost)].cause == Reason.UNKNOWN_ISSUER.value
    assert not told[digest(lost)].permanent
    kept = conn.execute("SELECT digest, raw FROM quarantine").fetchall()
    assert sorted(kept) == sorted((digest(raw), raw) for raw in [*wrong, lost])
    assert sum(one.messages for one in quarantine_counts(conn)) == len(wrong) + 1
    assert committed_digests(conn) == [digest(raw) for raw in good]
    check_store(conn)


async def test_the_stream_forgets_what_was_committed_or_kept_aside(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment() for _ in range(5)]

    async with running(nats, postgres, tmp_path) as run:
        await run.send(truck, b"noise", *raws)
        await receipted(run, raws)
        left = await run.client.jetstream().stream_info("HP_SEG")
        deadline = asyncio.get_running_loop().time() + 10
        while left.state.messages and asyncio.get_running_loop().time() < deadline:
            left = await run.client.jetstream().stream_info("HP_SEG")

    assert left.state.messages == 0


class FailingQueue(JetStreamQueue):
    """Loses its first acknowledgement: before it was sent, or the connection right after."""

    sent_first = False
    failures = 0

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        FailingQueue.failures += 1
        if FailingQueue.failures > 1:
            await super().acknowledge(messages)
            return
        if FailingQueue.sent_first:
            await super().acknowledge(messages)
        raise BrokerError("the broker went away")


@pytest.mark.parametrize("sent", [False, True], ids=["failed", "answer lost"])
async def test_an_acknowledgement_that_fails_costs_nothing(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path, sent: bool
) -> None:
    FailingQueue.sent_first, FailingQueue.failures = sent, 0
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment() for _ in range(3)]

    async with running(nats, postgres, tmp_path, queue=FailingQueue) as run:
        await run.send(truck, *raws)
        await receipted(run, raws)
        await run.send(truck, *raws)
        await receipted(run, raws, times=2)

    assert check_store(conn) == 4


@pytest.mark.parametrize("committed", [False, True], ids=["failed", "answer lost"])
async def test_a_commit_that_fails_is_tried_again(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path, committed: bool
) -> None:
    FailingConnection.begun, FailingConnection.fails_at = 0, 1
    FailingConnection.committed_first = committed
    truck = Truck()
    admit(conn, truck)
    raws = [truck.segment() for _ in range(3)]

    def connect() -> Connection[Any]:
        return FailingConnection.connect(postgres)

    async with running(nats, postgres, tmp_path, connect=connect) as run:
        await run.send(truck, *raws)
        await receipted(run, raws)

    assert committed_digests(conn) == [digest(raw) for raw in raws]
    assert check_store(conn) == 4


async def test_connections_that_the_server_cuts_are_made_again(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    truck = Truck()
    admit(conn, truck)
    first, second = truck.segment(), truck.segment()

    async with running(nats, postgres, tmp_path) as run:
        await run.send(truck, first)
        await receipted(run, [first])
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND NOT EXISTS (SELECT 1 FROM pg_locks l"
            " WHERE l.pid = pg_stat_activity.pid AND l.locktype = 'advisory')"
        )
        await run.send(truck, second)
        await receipted(run, [second])

    assert check_store(conn) == 3


async def test_a_broker_that_goes_away_is_found_again(
    nats: Broker,
    nats_server: EmbeddedNats,
    postgres: str,
    conn: Connection[Any],
    tmp_path: Path,
) -> None:
    truck = Truck()
    admit(conn, truck)
    first, second = truck.segment(), truck.segment()

    async with running(nats, postgres, tmp_path) as run:
        await run.send(truck, first)
        await receipted(run, [first])
        nats_server.stop()
        nats_server.start()
        await run.until(
            lambda: run.client.stats["reconnects"] > 0 and run.client.is_connected,
            "a new connection",
        )
        await run.send(truck, first, second)
        await receipted(run, [second])
        await receipted(run, [first], times=2)

    assert check_store(conn) == 3


async def test_receipts_keep_to_the_link_s_interval(
    nats: Broker, postgres: str, conn: Connection[Any], tmp_path: Path
) -> None:
    truck = Truck()
    admit(conn, truck)
    first, second = truck.segment(), truck.segment()
    metered = replace(LIMITS, ack_interval_s=3_600)

    async with running(nats, postgres, tmp_path, limits=metered) as run:
        await run.send(truck, first)
        await receipted(run, [first])
        await run.send(truck, second)
        await run.until(lambda: digest(second) in committed_digests(conn), "a second commit")
        assert digest(second) not in run.ears.receipts
