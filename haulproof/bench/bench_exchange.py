"""An exchange of a bench's own, started as ``haulproof up`` starts it, with an admitted fleet."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.settings import Settings, load_settings
from exchange.store.database import durability
from firmware_sim.fleet import make_devices
from haulproof.bench.broker_watch import BrokerAccount, BrokerWatch, broker_account, broker_watch
from haulproof.bench.limits.committed import bench_url
from haulproof.bench.load.admission import CARRIER, admit_carrier, admit_devices
from haulproof.bench.load.crew import aside
from haulproof.bench.load.fleet import Fleet
from haulproof.bench.load.schedule import slices
from haulproof.bench.load.upload import publish
from haulproof.bench.telling import Telling
from haulproof.bench.usage import cpu_seconds, resident_mb
from haulproof.demo.processes import Part

WARM_UP_SEGMENTS = 20_000
QUIET_S = 60
_SLICE_SEGMENTS = 200_000

ROOMY = {
    "stream_messages_max": 1_000_000,
    "device_messages_max": 1_000_000,
    "device_messages_per_s": 1_000_000,
}
"""Settings for a backlog that is made on purpose, by devices that stand for many."""
"""Published and taken before the next are signed, so that neither broker nor bench grows."""


@dataclass(frozen=True, slots=True)
class BenchExchange:
    """A running exchange, its fleet, and the ways to its broker and database."""

    folder: Path
    directory: Directory
    settings: Settings
    fleet: Fleet
    account: BrokerAccount
    database_url: str
    """Of the superuser."""

    def durability(self) -> dict[str, str]:
        """PostgreSQL's settings that decide whether a commit survives a power cut."""
        with psycopg.connect(self.database_url) as conn:
            return durability(conn)


@dataclass(slots=True)
class Drained:
    """A load published beforehand and then taken at full speed."""

    segments: int = 0
    seconds: float = 0
    ack_messages: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    """By part of the exchange, while it was taken."""
    rss_mb: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Segments so far, and what each part holds: before the first slice and after each."""

    @property
    def per_s(self) -> float:
        """Segments per second."""
        return self.segments / self.seconds


@contextmanager
def bench_exchange(
    devices: int, telling: Telling, settings: Mapping[str, int]
) -> Iterator[BenchExchange]:
    """Start one in a temporary folder, admit ``devices``, end it and remove everything."""
    folder = Path(tempfile.mkdtemp(prefix="haulproof-bench-"))
    try:
        with ExitStack() as stack:
            yield _start(stack, folder, devices, telling, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(
    stack: ExitStack, folder: Path, devices: int, telling: Telling, settings: Mapping[str, int]
) -> BenchExchange:
    directory, party = Directory(folder / "exchange"), folder / "party"
    party.mkdir(mode=0o700)
    config = party / "bench.toml"
    config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    words = ["up", "--dir", str(directory.root), "--config", str(config), "--json"]
    telling.step("starting an exchange")
    up = stack.enter_context(Part(words, party / "up.log"))
    origin = str(up.announced(timeout_s=120)["log_origin"])
    signer, credentials = admit_carrier(directory.root, party)
    made = make_devices(CARRIER, devices)
    with telling.counting(f"admitting {devices} devices", devices) as told:
        enrolled = admit_devices(made, signer, credentials, origin, told)
    return BenchExchange(
        folder=folder,
        directory=directory,
        settings=load_settings(config, dir=directory.root),
        fleet=Fleet(made, enrolled, origin),
        account=broker_account(directory),
        database_url=bench_url(EmbeddedPostgres(directory)),
    )


async def drain(
    exchange: BenchExchange, watch: BrokerWatch, segments: int, telling: Telling
) -> Drained:
    """Publish about ``segments`` with intake held back, let it go, wait for every receipt.

    ``TimeoutError`` when receipts stop coming. More than a slice is done slice by slice; the time
    in which the next one is published does not count.
    """
    drained = Drained(rss_mb=[(0, resident_mb(exchange.directory.root))])
    for each in slices(segments, len(exchange.fleet.members), _SLICE_SEGMENTS):
        await _drain_slice(exchange, watch, each, drained, telling)
    return drained


async def _drain_slice(
    exchange: BenchExchange, watch: BrokerWatch, each: int, drained: Drained, telling: Telling
) -> None:
    await watch.hold_intake()
    telling.step(f"signing and publishing {each * len(exchange.fleet.members)} segments")
    await aside(partial(publish, exchange.fleet, each))
    count, before = await watch.held(), watch.receipts.total
    messages = watch.receipts.messages
    with telling.counting(f"intake takes {count} segments", count) as told:
        await watch.release_intake()
        spent, started = cpu_seconds(exchange.directory.root), time.monotonic()
        await watch.until(before + count, QUIET_S, lambda total: told(total - before))
        drained.seconds += time.monotonic() - started
    drained.segments += count
    drained.ack_messages += watch.receipts.messages - messages
    for part, seconds in cpu_seconds(exchange.directory.root).items():
        drained.cpu_s[part] = drained.cpu_s.get(part, 0) + seconds - spent.get(part, 0)
    drained.rss_mb.append((drained.segments, resident_mb(exchange.directory.root)))


async def warm_up(
    exchange: BenchExchange, watch: BrokerWatch, segments: int, telling: Telling
) -> Drained:
    """The first load, whose rate says how large the measured one must be."""
    warm = await drain(exchange, watch, segments, telling)
    telling.step(f"warmed up at {warm.per_s:.0f} segments/s")
    return warm


async def capacity_per_s(exchange: BenchExchange, segments: int, telling: Telling) -> float:
    """Segments per second at full speed, by a second load as large as the one that warms up."""
    async with broker_watch(exchange.account) as watch:
        await warm_up(exchange, watch, segments, telling)
        return (await drain(exchange, watch, segments, telling)).per_s
