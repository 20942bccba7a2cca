"""A truck that uploads three weeks late, across a rotation: all that it lists is taken, no more."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge_agent.cli import main as agent
from edge_agent.enrolment import read_key
from edge_agent.open_segment import OpenSegment
from edge_agent.outbox import Outbox
from edge_agent.sampler import Sample
from edge_agent.sealer import Identity, Sealed, Sealer
from edge_agent.timebase import ClockQuality
from exchange.cli import main as haulproof
from exchange.intake.model import BatchResult, Message
from exchange.store.database import connect
from schemas.catalogue import BY_PATH
from schemas.cose.keys import Signer
from schemas.errors import Reason
from schemas.wire.topics import segment_topic
from tests.exchange.devices.intake import worker_of
from tests.exchange.intake.trucks import NOW
from tests.exchange.intake.whole_store import check_store, committed_digests
from tests.exchange.world import T0, World

DAY_MS = 86_400_000
DAYS = 21
SPEED = BY_PATH["Vehicle.Speed"].id


class LateTruck:
    """An agent's folder as ``agent enrol`` and ``device add`` leave it; it drives, offline."""

    def __init__(self, world: World, folder: Path, credentials: Path) -> None:
        self.world = world
        self.folder = folder
        self.credentials = credentials
        names = ("--carrier", "acme", "--device", "dev-1", "--origin", world.origin)
        assert agent(["enrol", "--dir", str(folder), *names]) == 0
        self.carrier(
            *("device", "add", str(folder / "request.json"), "--vehicle", "v-1"),
            *("--out", str(folder / "enrolment.json")),
        )
        self.signer = read_key(folder)
        self.boots = 0

    def carrier(self, *words: str) -> None:
        """A command on the carrier's machine."""
        key = str(self.credentials.with_name("acme.pem"))
        options = ("--key", key, "--credentials", str(self.credentials))
        assert haulproof([*words, *options]) == 0

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        outbox = Outbox.open(self.folder / "outbox.sqlite")
        try:
            yield outbox
        finally:
            outbox.close()

    def drive(self, day: int, segments: int, signer: Signer | None = None) -> list[Sealed]:
        """One start of the agent and what it seals; ``signer`` instead of the folder's key."""
        made: list[Sealed] = []
        identity = Identity(
            signer or read_key(self.folder), "hp:acme/dev-1", "v-1", self.world.origin
        )
        sealer = Sealer(identity, os.urandom)
        self.boots += 1
        with self.outbox() as outbox:
            for _ in range(segments):
                t0 = T0 + day * DAY_MS + len(made) * 60_000
                opened = OpenSegment(
                    self.boots.to_bytes(8, "big"), len(made), t0, 1_000, ClockQuality(3, 20), None
                )
                for second in range(60):
                    opened.add(Sample(t0 + second * 1_000, {SPEED: 8_000 + second}))
                chain = outbox.chain()
                sealed = sealer.seal(opened, chain.digest if chain else b"", 0)
                outbox.seal(sealed, opened.last_ms, t0)
                made += sealed
        return made

    def waiting(self) -> list[Message]:
        with self.outbox() as outbox:
            raws = [outbox.raw(statement_id) for statement_id in outbox.unsent(0, 10_000)]
        topic = segment_topic("acme", "dev-1")
        return [Message(topic, raw, NOW) for raw in raws if raw is not None]

    def settle(self, result: BatchResult) -> None:
        names = [(one.identity.boot, one.identity.seq) for one in result.committed]
        indices = {(one.identity.boot, one.identity.seq): one.index for one in result.committed}
        with self.outbox() as outbox:
            held = outbox.held(names)
            outbox.receipted({one.id: indices[name] for name, one in held.items()}, T0)


@pytest.fixture
def truck(world: World, tmp_path: Path) -> LateTruck:
    carrier = tmp_path / "carrier"
    carrier.mkdir()
    acme = world.admit("acme", "carrier")
    signer: Any = acme.signer
    (carrier / "acme.pem").write_bytes(signer.to_pem())
    credentials = carrier / "acme.json"
    credentials.write_text(
        json.dumps(
            {
                "api": str(world.http.base_url),
                "client_id": acme.client_id,
                "client_secret": acme.client_secret,
            }
        )
    )
    return LateTruck(world, tmp_path / "truck", credentials)


def test_all_that_the_rotation_lists_is_taken_and_what_it_does_not_list_is_refused(
    world: World, truck: LateTruck
) -> None:
    worker = worker_of(world)
    online = truck.drive(0, 3)
    truck.settle(worker.handle(truck.waiting()))
    old = truck.signer
    before = [sealed for day in range(1, 11) for sealed in truck.drive(day, 4)]
    assert agent(["rotate", "--dir", str(truck.folder)]) == 0
    early = worker.handle(truck.waiting()[:2])
    truck.carrier("device", "rotate", str(truck.folder / "rotation.json"))
    after = [sealed for day in range(11, DAYS) for sealed in truck.drive(day, 4)]
    late = truck.waiting()
    Random(1).shuffle(late)
    result = BatchResult()
    for start in range(0, len(late), 16):
        batch = worker.handle(late[start : start + 16])
        result.committed += batch.committed
        result.duplicates += batch.duplicates
        result.refused += batch.refused
    stolen = truck.drive(DAYS, 2, signer=old)
    forged = worker.handle(truck.waiting()[-2:])
    worker.close()

    assert len(early.committed) == 2
    assert len(result.committed) == len(before) + len(after) - 2
    assert len(result.duplicates) == 2
    assert result.refused == []
    assert [one.reason for one in forged.refused] == [Reason.ROTATED_KEY] * len(stolen)
    assert all(one.permanent for one in forged.refused)
    with connect(world.settings) as conn:
        digests = [sealed.digest for sealed in (*online, *before, *after)]
        assert sorted(committed_digests(conn)) == sorted(digests)
    with connect(world.settings) as conn:
        check_store(conn)


def test_until_the_rotation_is_admitted_what_the_new_key_signed_waits(
    world: World, truck: LateTruck
) -> None:
    worker = worker_of(world)
    truck.drive(0, 2)
    assert agent(["rotate", "--dir", str(truck.folder)]) == 0
    truck.drive(1, 2)
    early = worker.handle(truck.waiting())
    truck.settle(early)
    truck.carrier("device", "rotate", str(truck.folder / "rotation.json"))
    late = worker.handle(truck.waiting())
    worker.close()

    assert (len(early.committed), len(late.committed)) == (2, 2)
    assert [(one.reason, one.permanent) for one in early.refused] == [
        (Reason.UNKNOWN_KEY, False)
    ] * 2
