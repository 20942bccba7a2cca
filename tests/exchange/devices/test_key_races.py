"""Keys that change while a batch is judged: both orders, on two connections of a real database.

Either the change is committed before the batch takes the head's lock, and the batch is judged
again; or the batch has the lock, the change waits, and what the batch commits comes before it.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from psycopg import Connection

from exchange.devices.admission import admit_device
from exchange.devices.key_changes import revoke_key, rotate_key
from exchange.intake import batch, release
from exchange.intake.keys import KeyRing
from exchange.intake.model import BatchResult
from exchange.intake.verification import VerifiedBatch, verify_batch
from exchange.orgs.revocation import revoke_org_keys
from exchange.signed_text import statement_bytes
from exchange.store.database import connect
from exchange.transparency import repository as tree
from schemas.cose.keys import SoftwareSigner
from schemas.errors import Reason, StatementRefused
from tests.exchange.device_keys import keys_of, release_body, revocation_body, rotation_body
from tests.exchange.devices.intake import admitted, take
from tests.exchange.intake.trucks import Truck
from tests.exchange.world import Organisation, World

Change = Callable[[Connection[Any]], object]
_DEADLINE_S = 20


@pytest.fixture
def acme(world: World) -> Organisation:
    return world.admit("acme", "carrier")


class Race:
    """One truck that is known, one that is not yet, and what may happen to their keys."""

    def __init__(self, world: World, acme: Organisation) -> None:
        self.world = world
        self.truck = admitted(world, acme)
        self.unknown = Truck("dev-9", vehicle="v-9", origin=world.origin)
        self.fresh = SoftwareSigner.generate()
        names = {"carrier": "acme", "device": "dev-1", "origin": world.origin}
        key_id = keys_of(world, acme, "dev-1")[0]["id"]
        revocation = statement_bytes(revocation_body(world, acme, "dev-1", key_id)["statement"])
        rotated = rotation_body(world, acme, "dev-1", self.fresh, self.truck.signer, {})
        rotation = statement_bytes(rotated["statement"])
        made = world.device_statements(acme, "dev-9", "v-9", self.unknown.signer)
        key_raw, binding_raw = map(statement_bytes, (made["device_key"], made["binding"]))
        self.changes: dict[str, Change] = {
            "revoked": lambda conn: revoke_key(conn, revocation, **names),
            "replaced": lambda conn: rotate_key(conn, rotation, **names),
            "admitted": lambda conn: admit_device(
                conn, key_raw, binding_raw, carrier="acme", origin=world.origin
            ),
        }

    def batch(self) -> list[Any]:
        return [
            self.truck.message(self.truck.segment()),
            self.unknown.message(self.unknown.segment()),
        ]

    def take(self) -> BatchResult:
        with connect(self.world.settings) as conn:
            conn.autocommit = True
            now = datetime.now(UTC)
            return batch.take(conn, self.batch(), self.world.origin, KeyRing(), now)

    def change(self, name: str) -> None:
        with connect(self.world.settings) as conn:
            self.changes[name](conn)


@pytest.fixture
def race(world: World, acme: Organisation) -> Race:
    return Race(world, acme)


EXPECTED_BEFORE = {
    "revoked": {"dev-1": Reason.REVOKED_KEY, "dev-9": Reason.UNKNOWN_ISSUER},
    "replaced": {"dev-1": Reason.ROTATED_KEY, "dev-9": Reason.UNKNOWN_ISSUER},
    "admitted": {},
}


def outcome(result: BatchResult) -> dict[str, Reason]:
    return {one.device: one.reason for one in result.refused}


@pytest.mark.parametrize("change", EXPECTED_BEFORE)
def test_a_change_between_verification_and_commit_is_what_the_batch_is_judged_by(
    race: Race, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, moves = batch.judge, [change]

    def judge_then_change(*args: Any) -> batch.Judged:
        judged = real(*args)
        while moves:
            race.change(moves.pop())
        return judged

    monkeypatch.setattr(batch, "judge", judge_then_change)
    result = race.take()

    assert outcome(result) == EXPECTED_BEFORE[change]
    assert len(result.committed) == 2 - len(EXPECTED_BEFORE[change])


@pytest.mark.parametrize("change", EXPECTED_BEFORE)
def test_a_change_that_comes_while_the_batch_has_the_lock_comes_after_it_in_the_log(
    race: Race, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tree.append_under
    size = tree_size(race.world)
    started: list[Future[None]] = []
    with ThreadPoolExecutor(1) as other:

        def append_while_the_change_waits(*args: Any) -> int:
            if not started:
                started.append(other.submit(race.change, change))
                until_it_waits_for_a_lock(race.world)
            return real(*args)

        monkeypatch.setattr(tree, "append_under", append_while_the_change_waits)
        result = race.take()
        started[0].result(_DEADLINE_S)

    assert outcome(result) == {"dev-9": Reason.UNKNOWN_ISSUER}
    assert not result.refused[0].permanent
    assert [one.index for one in result.committed] == [size]
    assert tree_size(race.world) > size + 1


def test_a_device_is_not_admitted_by_a_key_that_is_being_revoked(
    race: Race, acme: Organisation
) -> None:
    """The admission waits for the lock that the revocation holds, and reads keys only then."""
    world = race.world
    with connect(world.settings) as conn, ThreadPoolExecutor(1) as other:
        revoke_organisation(world, conn)
        waiting = other.submit(race.change, "admitted")
        until_it_waits_for_a_lock(world)
        conn.commit()
        with pytest.raises(StatementRefused) as refusal:
            waiting.result(_DEADLINE_S)

    assert refusal.value.reason is Reason.UNKNOWN_KEY
    assert keys_of(world, acme, "dev-9") == []


def test_a_release_by_a_key_that_is_revoked_meanwhile_commits_nothing(
    race: Race, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, raw = race.world, race.truck.segment()
    race.change("revoked")
    take(world, race.truck, [raw])
    body = release_body(world, acme, "dev-1", [sha256(raw).digest()])
    signed, size = statement_bytes(body["statement"]), tree_size(world)
    real, moves = verify_batch, [revoke_organisation]

    def verify_then_revoke(*args: Any) -> VerifiedBatch:
        while moves:
            with connect(world.settings) as other:
                moves.pop()(world, other)
        return real(*args)

    def ask() -> None:
        with connect(world.settings) as conn:
            names = {"carrier": "acme", "device": "dev-1", "origin": world.origin}
            release.release_statements(conn, signed, **names, now=datetime.now(UTC))

    monkeypatch.setattr("exchange.intake.release.verify_batch", verify_then_revoke)
    with pytest.raises(release.KeysChanging):
        ask()
    with pytest.raises(StatementRefused, match="unknown-key"):
        ask()

    assert tree_size(world) == size + 1
    aside = world.http.get("/v1/devices/dev-1/aside", headers=acme.headers).json()
    assert len(aside["items"]) == 1


def revoke_organisation(world: World, conn: Connection[Any]) -> None:
    revoke_org_keys(
        conn,
        "acme",
        None,
        world.exchange.signer,
        exchange=world.exchange.organisation,
        origin=world.origin,
        at_ms=1,
        random=world.exchange.random,
    )


def tree_size(world: World) -> int:
    with world.exchange.connection() as conn:
        return tree.head(conn).size


def until_it_waits_for_a_lock(world: World) -> None:
    """Until some other connection to this database is held up by a lock."""
    deadline = time.monotonic() + _DEADLINE_S
    with connect(world.settings) as conn:
        conn.autocommit = True
        while time.monotonic() < deadline:
            row = conn.execute(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if row is not None:
                return
            time.sleep(0.01)
    raise AssertionError("the change does not wait for the batch")
