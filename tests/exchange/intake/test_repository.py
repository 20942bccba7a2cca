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
