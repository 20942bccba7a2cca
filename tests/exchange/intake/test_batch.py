"""A batch is committed in one transaction: each statement once, each with its leaf."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from exchange.intake import batch
from exchange.intake.keys import KeyRing
from exchange.intake.model import BatchResult, Message
from exchange.intake.worker import Worker
from exchange.segments.repository import segments_after, segments_at, segments_of_vehicle
from exchange.transparency.repository import bump_key_epoch, put_back, statements_of
from schemas.errors import Reason
from schemas.kinds import Kind
from tests.exchange.intake.trucks import NOW, ORIGIN, T0, Truck, admit, revoke
from tests.exchange.intake.whole_store import check_store, committed_digests


def reasons(result: BatchResult) -> list[Reason]:
    return [one.reason for one in result.refused]


def indices(result: BatchResult) -> list[int]:
    return [one.index for one in result.committed]


def test_segments_and_gaps_of_a_batch_are_committed_in_their_order(
    conn: Connection[Any], worker: Worker
) -> None:
    first, second = Truck("dev-1"), Truck("dev-2")
    admit(conn, first, second)
    raws = [first.segment(), second.segment(), first.gap(), first.segment()]
    owners = [first, second, first, first]

    result = worker.handle([o.message(raw) for o, raw in zip(owners, raws, strict=True)])

    assert indices(result) == [2, 3, 4, 5]
    assert check_store(conn) == 6
    assert committed_digests(conn) == [sha256(raw).digest() for raw in raws]
    assert [one.raw for one in segments_after(conn, -1, 10)] == [raws[0], raws[1], raws[3]]
    assert [one.raw for one in segments_at(conn, [5, 2])] == [raws[0], raws[3]]
    (gap,) = statements_of(conn, kinds=[Kind.GAP], subject="v-1")
    assert (gap.index, gap.raw, gap.issuer) == (4, raws[2], first.issuer)


def test_what_comes_back_after_a_restore_takes_its_old_leaf_and_the_rest_new_ones(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    lost = [truck.segment(), truck.gap(), truck.segment()]
    kinds = [Kind.SEGMENT, Kind.GAP, Kind.SEGMENT]
    with conn.transaction():
        digests = [sha256(raw).digest() for raw in lost]
        put_back(conn, [(int(k), digest) for k, digest in zip(kinds, digests, strict=True)])
    fresh = truck.segment()

    result = worker.handle([truck.message(raw) for raw in (fresh, lost[2], lost[1])])
    again = worker.handle([truck.message(raw) for raw in (lost[1], lost[0])])

    assert indices(result) == [4, 3, 2]
    assert indices(again) == [1]
    assert [one.index for one in again.duplicates] == [2]
    assert check_store(conn) == 5
    assert committed_digests(conn) == [sha256(raw).digest() for raw in (*lost, fresh)]


def test_a_vehicle_s_segments_are_found_by_their_time(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    worker.handle([truck.message(truck.segment()) for _ in range(3)])

    def found(from_ms: int, to_ms: int, below: int | None = None) -> list[int]:
        rows = segments_of_vehicle(conn, "acme", "v-1", T0 + from_ms, T0 + to_ms, below)
        return [row.seq for row in rows]

    assert found(0, 120_001) == [0, 1, 2]
    assert found(4_001, 120_000) == [1]
    assert found(4_000, 1_000_000, below=3) == [0, 1]
    assert segments_of_vehicle(conn, "other", "v-1", 0, T0 * 2) == []


def test_a_second_copy_is_answered_with_the_first_one_s_place(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    segment, gap = truck.segment(), truck.gap()
    first = worker.handle([truck.message(raw) for raw in (segment, gap, segment)])

    again = worker.handle([truck.message(raw) for raw in (gap, segment)])

    assert indices(first) == [1, 2]
    assert [one.index for one in first.duplicates] == [1]
    assert not again.committed
    assert not again.refused
    assert [one.index for one in again.duplicates] == [2, 1]
    assert check_store(conn) == 3


def test_of_two_statements_under_one_name_the_first_stands(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    one, other, third = (truck.segment(seq=0) for _ in range(3))
    first = worker.handle([truck.message(raw) for raw in (one, other)])

    second = worker.handle([truck.message(raw) for raw in (third, one)])

    assert len(first.committed) == len(second.duplicates) == 1
    assert reasons(first) == reasons(second) == [Reason.EQUIVOCATION]
    assert first.refused[0].permanent
    assert first.refused[0].identity == first.committed[0].identity
    kept = conn.execute("SELECT raw FROM quarantine WHERE reason = 'equivocation'").fetchall()
    assert sorted(row[0] for row in kept) == sorted([other, third])
    assert committed_digests(conn) == [sha256(one).digest()]


def test_whatever_is_wrong_with_some_the_rest_is_committed(
    conn: Connection[Any], worker: Worker
) -> None:
    truck, unknown = Truck(), Truck("dev-9")
    admit(conn, truck)
    good = [truck.segment() for _ in range(3)]
    forged = bytearray(truck.segment())
    forged[-1] ^= 1
    messages = [
        truck.message(good[0]),
        truck.message(b"noise"),
        truck.message(bytes(forged)),
        unknown.message(unknown.segment()),
        truck.message(good[1]),
        truck.message(truck.segment(), "hp/v1/acme/dev-9/seg"),
        truck.message(bytes(70_000)),
        truck.message(truck.sign(Kind.SEGMENT, b"\xa0")),
        truck.message(b"noise", "hp/v1/ACME/x/seg"),
        truck.message(good[2]),
    ]

    result = worker.handle(messages)

    assert indices(result) == [1, 2, 3]
    assert sorted(reasons(result)) == sorted(
        [
            Reason.MALFORMED,
            Reason.WRONG_TOPIC,
            Reason.TOO_LARGE,
            Reason.WRONG_TOPIC,
            Reason.BAD_SIGNATURE,
            Reason.UNKNOWN_ISSUER,
            Reason.MALFORMED,
        ]
    )
    assert committed_digests(conn) == [sha256(raw).digest() for raw in good]
    check_store(conn)


def test_arrays_hold_what_was_signed_and_null_for_the_rest(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    raw = truck.segment(
        {
            1: [5_000, None, 40_000, 7_000],
            4: [480_000_000, 480_001_000, None, 480_002_000],
            5: [110_000_000, 110_000_000, 110_000_000, 110_000_000],
            9_999: [1, 2, None, 4],
        },
        offsets=[0, 1_000, 3_000, 4_000],
    )
    worker.handle([truck.message(raw)])

    row = conn.execute(
        "SELECT s1, s4, s5, s2, offsets_ms, step_ms, n, t0, t_end, unstored, speed_min, speed_max,"
        " speed_mean, latitude_min, latitude_max, round(distance_m), raw FROM segment"
    ).fetchone()

    assert row == (
        [5_000, None, None, 7_000],
        [480_000_000, 480_001_000, None, 480_002_000],
        [110_000_000] * 4,
        None,
        [0, 1_000, 3_000, 4_000],
        None,
        4,
        T0,
        T0 + 4_000,
        4,
        5_000,
        7_000,
        6_000.0,
        480_000_000,
        480_002_000,
        22.0,
        raw,
    )
    view = conn.execute('SELECT "Vehicle.Speed", extract(epoch FROM at) FROM sample ORDER BY at')
    assert [(speed, int(at * 1000) - T0) for speed, at in view] == [
        (50.0, 0),
        (None, 1_000),
        (None, 3_000),
        (70.0, 4_000),
    ]


def test_a_time_past_every_calendar_neither_stops_intake_nor_the_view(
    conn: Connection[Any], worker: Worker
) -> None:
    truck = Truck()
    admit(conn, truck)
    far = [truck.segment({1: [1, 2, 3]}, offsets=[0, 1, 2**62])]
    far.append(truck.segment({1: [1, 2]}, step_ms=253_402_300_799_999))

    assert len(worker.handle([truck.message(raw) for raw in far]).committed) == 2
    assert conn.execute("SELECT count(at), count(*) FROM sample").fetchone() == (5, 5)


def test_keys_that_change_while_a_batch_is_judged_are_judged_again(
    conn: Connection[Any], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = Truck()
    admit(conn, truck)
    keys, messages = KeyRing(), [truck.message(truck.segment())]
    real = batch.judge
    moves = [revoke]

    def judge_then_revoke(*args: Any) -> batch.Judged:
        judged = real(*args)
        while moves:
            with psycopg.connect(postgres, autocommit=True) as other:
                moves.pop()(other, truck)
        return judged

    monkeypatch.setattr(batch, "judge", judge_then_revoke)
    result = batch.take(conn, messages, ORIGIN, keys, NOW)

    assert reasons(result) == [Reason.REVOKED_KEY]
    assert not result.refused[0].permanent
    assert check_store(conn) == 1


def test_a_key_admitted_while_a_batch_is_judged_counts(
    conn: Connection[Any], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = Truck()
    moves = [admit]
    real = batch.judge

    def judge_then_admit(*args: Any) -> batch.Judged:
        judged = real(*args)
        while moves:
            with psycopg.connect(postgres, autocommit=True) as other:
                moves.pop()(other, truck)
        return judged

    monkeypatch.setattr(batch, "judge", judge_then_admit)
    result = batch.take(conn, [truck.message(truck.segment())], ORIGIN, KeyRing(), NOW)

    assert indices(result) == [1]


def test_keys_of_others_that_change_at_every_try_keep_no_batch_out(
    conn: Connection[Any], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck, other = Truck(), Truck("dev-2", carrier="other")
    admit(conn, truck, other)
    real, judged = batch.judge, []

    def judge_then_move(*args: Any) -> batch.Judged:
        judged.append(real(*args))
        with psycopg.connect(postgres, autocommit=True) as elsewhere:
            elsewhere.execute("SET lock_timeout = '200ms'")
            revoke(elsewhere, other)
        return judged[-1]

    monkeypatch.setattr(batch, "judge", judge_then_move)
    result = batch.take(conn, [truck.message(truck.segment())], ORIGIN, KeyRing(), NOW)

    assert indices(result) == [2]
    assert len(judged) == 1
    assert check_store(conn) == 3


def test_keys_of_its_own_that_never_rest_are_held_still_and_judged_by(
    conn: Connection[Any], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One device's keys change at each try: it is refused by what they are, the rest goes in."""
    truck, restless = Truck(), Truck("dev-2", carrier="other")
    admit(conn, truck, restless)
    real, waited = batch.judge, []

    def judge_then_toggle(*args: Any) -> batch.Judged:
        judged = real(*args)
        with psycopg.connect(postgres, autocommit=True) as elsewhere:
            elsewhere.execute("SET lock_timeout = '200ms'")
            try:
                toggle(elsewhere, restless)
            except LockNotAvailable:
                waited.append(judged)
        return judged

    monkeypatch.setattr(batch, "judge", judge_then_toggle)
    messages = [one.message(one.segment()) for one in (truck, restless)]
    result = batch.take(conn, messages, ORIGIN, KeyRing(), NOW)

    assert indices(result) == [2]
    assert reasons(result) == [Reason.REVOKED_KEY]
    assert len(waited) == 1
    assert check_store(conn) == 3


def toggle(conn: Connection[Any], truck: Truck) -> None:
    """Revoke a truck's key, or undo that: a change that can be made again and again."""
    with conn.transaction():
        bump_key_epoch(conn)
        conn.execute(
            "UPDATE device_key SET revoked_index = CASE WHEN revoked_index IS NULL THEN 0 END"
            " WHERE carrier = %s AND device = %s",
            [truck.carrier, truck.device],
        )


def test_workers_with_the_same_messages_commit_each_once(
    conn: Connection[Any], postgres: str
) -> None:
    trucks = [Truck(f"dev-{n}") for n in range(4)]
    admit(conn, *trucks)
    messages = [truck.message(truck.segment()) for truck in trucks for _ in range(20)]
    orders: list[list[Message]] = [messages, messages[::-1], messages[40:] + messages[:40]]

    def handle(order: list[Message]) -> int:
        own = Worker(lambda: psycopg.connect(postgres), ORIGIN, lambda: NOW)
        try:
            results = [own.handle(order[start : start + 16]) for start in range(0, 80, 16)]
        finally:
            own.close()
        return sum(len(one.committed) for one in results)

    with ThreadPoolExecutor(3) as workers:
        committed = sum(workers.map(handle, orders))

    assert committed == 80
    assert check_store(conn) == 84


def test_an_empty_batch_is_nothing(conn: Connection[Any], worker: Worker) -> None:
    assert worker.handle([]) == BatchResult()
    assert check_store(conn) == 0
