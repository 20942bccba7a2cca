"""Workers take batches while keys are replaced and revoked: the log's order says who may what."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from exchange.devices.repository import device_keys
from exchange.intake.model import Message
from exchange.segments.repository import segments_after
from exchange.store.database import connect
from tests.exchange.device_keys import revoke_newest
from tests.exchange.devices.intake import admitted, rotate, worker_of
from tests.exchange.intake.trucks import Truck
from tests.exchange.intake.whole_store import check_store
from tests.exchange.world import Organisation, World

TRUCKS, STATEMENTS, BATCH = 8, 40, 8


@pytest.mark.parametrize("seed", [1, 2])
def test_no_statement_lies_behind_a_record_that_bars_it_and_all_that_is_listed_is_there(
    world: World, seed: int
) -> None:
    acme = world.admit("acme", "carrier")
    trucks = [admitted(world, acme, f"dev-{n}") for n in range(TRUCKS)]
    listed = {
        truck.device: Random(f"{seed} {truck.device}").randrange(STATEMENTS) for truck in trucks
    }
    messages = [truck.message(truck.segment()) for _ in range(STATEMENTS) for truck in trucks]

    with ThreadPoolExecutor(3) as threads:
        taking = [threads.submit(take_all, world, messages, seed + n) for n in range(2)]
        changing = threads.submit(change_all, world, acme, trucks, listed, seed)
        for one in (*taking, changing):
            one.result(120)
    take_all(world, messages, seed)

    with connect(world.settings) as conn:
        check_store(conn)
    with connect(world.settings) as conn:
        committed = segments_after(conn, -1, 10_000)
        keys = device_keys(conn, [("acme", truck.device) for truck in trucks])
    for truck in trucks:
        first = keys["acme", truck.device][0]
        indices = {one.seq: one.index for one in committed if one.device == truck.device}
        if first.revoked_index is not None:
            assert all(index < first.revoked_index for index in indices.values())
        else:
            assert first.rotated_index is not None
            behind = {seq for seq, index in indices.items() if index > first.rotated_index}
            assert all(seq <= listed[truck.device] for seq in behind)
            assert set(range(listed[truck.device] + 1)) <= set(indices)


def take_all(world: World, messages: list[Message], seed: int) -> None:
    order = list(messages)
    Random(seed).shuffle(order)
    worker = worker_of(world)
    try:
        for start in range(0, len(order), BATCH):
            worker.handle(order[start : start + BATCH])
    finally:
        worker.close()


def change_all(
    world: World, acme: Organisation, trucks: list[Truck], listed: dict[str, int], seed: int
) -> None:
    rng = Random(seed)
    for truck in rng.sample(trucks, len(trucks)):
        if rng.random() < 0.5:
            revoke_newest(world, acme, truck.device)
        else:
            rotate(world, acme, truck, {truck.boot: listed[truck.device]})
