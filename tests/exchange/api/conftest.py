"""One exchange with a settled road behind it, for every test of this folder that only asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from tests.exchange.conftest import fresh_database
from tests.exchange.world import T0, Organisation, World, running


@dataclass
class Settled:
    """acme has a trip of v-1 and a grant to insurer-x; stranger and rival have none."""

    world: World
    acme: Organisation
    insurer: Organisation
    stranger: Organisation
    rival: Organisation
    trip_id: str
    grant_id: str


@pytest.fixture(scope="session")
def settled(
    postgres_server: EmbeddedPostgres,
    migrated_template: str,
    exchange_directory: Directory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settled]:
    fence: Path = tmp_path_factory.mktemp("fence") / "fence"
    with (
        fresh_database(postgres_server, migrated_template) as url,
        running(exchange_directory, url, fence) as world,
    ):
        acme, insurer = world.admit("acme", "carrier"), world.admit("insurer-x", "insurer")
        stranger, rival = world.admit("stranger", "insurer"), world.admit("rival", "carrier")
        device = world.add_device(acme, "box-1", "v-1")
        trip_id, _ = world.commit_trip(device, T0, [world.commit_segment(device, T0)])
        granted = world.grant(acme, "insurer-x")
        world.publish()
        yield Settled(world, acme, insurer, stranger, rival, trip_id, granted["id"])
