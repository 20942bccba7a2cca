"""The quarantine's tables: bytes, digests, counts and their limits."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.intake import quarantine
from exchange.intake.model import Refused
from exchange.intake.repository import keep_refused, quarantine_counts
from exchange.intake.verification import refused
from exchange.segments.model import Identity
from schemas.errors import Reason
from tests.exchange.intake.trucks import Truck


def refusals(truck: Truck, count: int, size: int = 3) -> list[Refused]:
    return [
        refused(truck.message(truck.rng.randbytes(size)), Reason.MALFORMED, "why")
        for _ in range(count)
    ]


def keep(conn: Connection[Any], *given: Refused) -> None:
    with conn.transaction():
        keep_refused(conn, given)


def test_a_refused_message_is_kept_with_everything_known_of_it(conn: Connection[Any]) -> None:
    truck = Truck()
    identity = Identity("acme", "dev-1", b"bootboot", 7)
    one = refused(truck.message(b"bytes"), Reason.EQUIVOCATION, "another", identity)

    keep(conn, one, one)
    keep(conn, one)

    row = conn.execute(
        "SELECT carrier, device, digest, reason, permanent, detail, boot, seq, size_bytes, raw,"
        " times FROM quarantine"
    ).fetchone()
    assert row == (
        "acme",
        "dev-1",
        one.digest,
        "equivocation",
        True,
        "another",
        b"bootboot",
        7,
        5,
        b"bytes",
        3,
    )
    (count,) = quarantine_counts(conn, "acme")
    assert (count.reason, count.messages, count.bytes) == ("equivocation", 3, 15)
    assert quarantine_counts(conn, "other") == []


def test_the_newest_verdict_stands_unless_the_older_one_is_final_or_knew_more(
    conn: Connection[Any],
) -> None:
    message = Truck().message(b"bytes")
    identity = Identity("acme", "dev-1", b"bootboot", 7)

    def verdict_after(reason: Reason, named: Identity | None) -> object:
        keep(conn, refused(message, reason, reason.value, named))
        return conn.execute("SELECT reason, permanent, detail, seq FROM quarantine").fetchone()

    revoked = ("revoked-key", False, "revoked-key", 7)
    rotated = ("rotated-key", True, "rotated-key", 7)
    assert verdict_after(Reason.UNKNOWN_KEY, None) == ("unknown-key", False, "unknown-key", None)
    assert verdict_after(Reason.REVOKED_KEY, identity) == revoked
    assert verdict_after(Reason.UNKNOWN_KEY, None) == revoked
    assert verdict_after(Reason.ROTATED_KEY, identity) == rotated
    assert verdict_after(Reason.REVOKED_KEY, identity) == rotated


def revoked_ones(truck: Truck, count: int) -> list[Refused]:
    identities = [Identity("acme", truck.device, b"bootboot", seq) for seq in range(count)]
    return [
        refused(truck.message(truck.rng.randbytes(3)), Reason.REVOKED_KEY, "why", identity)
        for identity in identities
    ]


def held(conn: Connection[Any]) -> list[tuple[str, str, int]]:
    rows = conn.execute(
        "SELECT device, reason, count(raw) FROM quarantine GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    kept = conn.execute(
        "SELECT device, messages, bytes FROM quarantine_kept WHERE carrier <> '' ORDER BY 1"
    ).fetchall()
    sums = conn.execute(
        "SELECT device, count(raw), coalesce(sum(length(raw)), 0) FROM quarantine"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    total = conn.execute("SELECT messages, bytes FROM quarantine_kept WHERE carrier = ''")
    assert kept == sums
    assert total.fetchone() == (sum(one[1] for one in sums), sum(one[2] for one in sums))
    return rows


def test_in_a_full_device_the_oldest_noise_gives_way_to_what_can_be_released(
    conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "DEVICE_MESSAGES_MAX", 4)
    truck, other = Truck("dev-1"), Truck("dev-2")
    noise, revoked = refusals(truck, 4), revoked_ones(truck, 6)
    keep(conn, *refusals(other, 4))
    for one in noise:
        keep(conn, one)

    keep(conn, *refusals(truck, 1), *revoked[:2])
    newest = [
        bytes(raw)
        for (raw,) in conn.execute(
            "SELECT raw FROM quarantine WHERE device = 'dev-1' AND reason = 'malformed'"
            " AND raw IS NOT NULL ORDER BY last_at"
        )
    ]
    assert newest == [one.message.payload for one in noise[2:]]
    keep(conn, *revoked[2:])

    assert held(conn) == [
        ("dev-1", "malformed", 0),
        ("dev-1", "revoked-key", 4),
        ("dev-2", "malformed", 4),
    ]


def test_when_all_is_full_noise_of_any_device_gives_way_to_what_can_be_released(
    conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "TOTAL_BYTES_MAX", 12)
    truck, other = Truck("dev-1"), Truck("dev-2")
    keep(conn, *refusals(other, 4))
    keep(conn, *revoked_ones(truck, 3))
    assert held(conn) == [("dev-1", "revoked-key", 3), ("dev-2", "malformed", 1)]
    keep(conn, *refusals(other, 2), *revoked_ones(truck, 2))

    assert held(conn) == [("dev-1", "revoked-key", 4), ("dev-2", "malformed", 0)]


def test_what_comes_again_as_revoked_does_not_give_way_to_its_like(
    conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "DEVICE_MESSAGES_MAX", 2)
    truck = Truck("dev-1")
    first, second = revoked_ones(truck, 2)
    keep(conn, refused(first.message, Reason.UNKNOWN_KEY, "early"), *refusals(truck, 1))
    keep(conn, first, second)

    assert held(conn) == [("dev-1", "malformed", 0), ("dev-1", "revoked-key", 2)]


def test_limits_are_per_device_and_in_all_and_counts_go_on(
    conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "DEVICE_MESSAGES_MAX", 4)
    monkeypatch.setattr(quarantine, "DEVICE_DIGESTS_MAX", 6)
    monkeypatch.setattr(quarantine, "TOTAL_BYTES_MAX", 21)
    first, second = Truck("dev-1"), Truck("dev-2")

    keep(conn, *refusals(first, 5))
    keep(conn, *refusals(first, 5))
    keep(conn, *refusals(second, 5))

    kept = conn.execute(
        "SELECT device, count(*), count(raw) FROM quarantine GROUP BY device ORDER BY device"
    ).fetchall()
    assert kept == [("dev-1", 6, 4), ("dev-2", 5, 3)]
    assert [(one.device, one.messages) for one in quarantine_counts(conn)] == [
        ("dev-1", 10),
        ("dev-2", 5),
    ]


def test_workers_that_refuse_at_once_keep_to_the_limits_together(
    postgres: str, conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "TOTAL_BYTES_MAX", 60)

    def refuse(seed: int) -> None:
        truck = Truck(f"dev-{seed}", seed=seed)
        with psycopg.connect(postgres, autocommit=True) as own:
            for _ in range(5):
                keep(own, *refusals(truck, 3))

    with ThreadPoolExecutor(3) as workers:
        list(workers.map(refuse, range(3)))

    sums = conn.execute("SELECT count(*), sum(length(raw)) FROM quarantine").fetchone()
    assert sums == (45, 60)
    total = conn.execute("SELECT digests, bytes FROM quarantine_kept WHERE carrier = ''")
    assert total.fetchone() == (45, 60)
