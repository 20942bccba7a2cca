"""``haulproof bench intake``: segments per second from the broker to the receipt.

An exchange is started as ``haulproof up`` starts it. A fleet's segments are signed beforehand and
published over MQTT by their own devices while intake is held back; then intake is let go, and
receipts are counted where devices would hear them. A first, smaller load warms up and says how
large the measured one must be to last.
"""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from exchange.directory import Directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.settings import Settings
from exchange.store.database import connect
from firmware_sim.drives import RecordDrive, open_drive, shipped_drive
from firmware_sim.drives.shipped import ECLIPSE_TRUCK
from firmware_sim.fleet import FleetDevice, FleetPlan, blocks_of, make_devices, sign_fleet
from haulproof.bench.bare_verify import verifications_per_s
from haulproof.bench.broker_watch import BrokerWatch, broker_watch
from haulproof.bench.cpu import cpu_seconds
from haulproof.bench.fleet_admission import CARRIER, Enrolled, admit_carrier, admit_devices
from haulproof.bench.upload import Upload, publish
from haulproof.demo.processes import Part

_WARM_UP_SEGMENTS = 20_000
_MARGIN = 1.25
"""More segments than the warm-up's rate would need, so that the run lasts as long as asked."""
_QUIET_S = 60
_TELL_EVERY_S = 10
_T0_MS = 1_750_000_000_000
_DAY_MS = 86_400_000
_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class IntakeBench:
    """What to measure: devices in the fleet, seconds that the measured load should last."""

    devices: int = 1_000
    seconds: float = 60
    stream_bytes_max: int = 4_000_000_000


@dataclass(slots=True)
class _Measured:
    segments: int
    seconds: float
    cpu: dict[str, float]


def run(plan: IntakeBench, tell: Tell) -> dict[str, Any]:
    """Measure; a figure, its limit in the same run, and their ratio."""
    root = Path(tempfile.mkdtemp(prefix="haulproof-bench-"))
    try:
        return _in_folder(root, plan, tell)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _in_folder(root: Path, plan: IntakeBench, tell: Tell) -> dict[str, Any]:
    directory, party = Directory(root / "exchange"), root / "party"
    party.mkdir(mode=0o700)
    config = party / "bench.toml"
    config.write_text(f"stream_bytes_max = {plan.stream_bytes_max}\n")
    words = ["up", "--dir", str(directory.root), "--config", str(config), "--json"]
    with ExitStack() as stack:
        up = stack.enter_context(Part(words, party / "up.log"))
        origin = str(up.announced(timeout_s=120)["log_origin"])
        signer, credentials = admit_carrier(directory.root, party)
        tell(f"admitting {plan.devices} devices")
        devices = make_devices(CARRIER, plan.devices)
        enrolled = admit_devices(devices, signer, credentials, origin)
        fleet = _Fleet(devices, enrolled, origin)
        return asyncio.run(_measure(directory, fleet, plan, tell))


async def _measure(
    directory: Directory, fleet: "_Fleet", plan: IntakeBench, tell: Tell
) -> dict[str, Any]:
    port = int(json.loads(directory.ports.read_text())["nats"])
    async with broker_watch(directory, port) as watch:
        warm = await _load(directory, watch, fleet, _WARM_UP_SEGMENTS, tell)
        tell(f"warmed up at {warm.segments / warm.seconds:.0f} segments/s")
        measured = warm
        while measured.seconds < plan.seconds or measured is warm:
            wanted = int(measured.segments / measured.seconds * plan.seconds * _MARGIN)
            measured = await _load(directory, watch, fleet, wanted, tell)
    tell("verifying the same bytes, bare")
    cores = os.cpu_count() or 1
    bare = verifications_per_s(fleet.sample(), cores, 5)
    rate = measured.segments / measured.seconds
    return {
        "name": "intake",
        "segments_per_s": round(rate, 1),
        "verify_per_s": round(bare, 1),
        "ratio": round(rate / bare, 4),
        "segments": measured.segments,
        "seconds": round(measured.seconds, 1),
        "devices": len(fleet.devices),
        "warm_up_segments": warm.segments,
        "cores": cores,
        "cpu_us_per_segment": {
            part: round(spent / measured.segments * 1e6, 1)
            for part, spent in sorted(measured.cpu.items())
        },
        "postgresql": _durability(directory),
        "segment_bytes_mean": fleet.bytes_mean,
    }


async def _load(
    directory: Directory, watch: BrokerWatch, fleet: "_Fleet", segments: int, tell: Tell
) -> _Measured:
    await watch.hold_intake()
    each = max(1, -(-segments // len(fleet.devices)))
    tell(f"signing and publishing {each * len(fleet.devices)} segments")
    await asyncio.to_thread(fleet.publish, each)
    before = watch.receipts.total
    count = await watch.held()
    tell(f"intake is let go on {count} segments")
    spent = cpu_seconds(directory.root)
    started = time.monotonic()
    await watch.release_intake()
    await watch.until(before + count, _QUIET_S, _Progress(before, count, tell))
    seconds = time.monotonic() - started
    cpu = {part: s - spent.get(part, 0) for part, s in cpu_seconds(directory.root).items()}
    return _Measured(count, seconds, cpu)


class _Progress:
    """Tells how far a load is, every ten seconds."""

    def __init__(self, before: int, count: int, tell: Tell) -> None:
        self._before, self._count, self._tell = before, count, tell
        self._next_s = time.monotonic() + _TELL_EVERY_S

    def __call__(self, total: int) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s += _TELL_EVERY_S
            self._tell(f"{total - self._before} of {self._count} receipted")


class _Fleet:
    def __init__(self, devices: list[FleetDevice], enrolled: list[Enrolled], origin: str) -> None:
        self.devices = devices
        self.bytes_mean = 0
        self._enrolled = enrolled
        self._origin = origin
        self._seed = 0
        self._last: list[tuple[bytes, list[bytes]]] = []
        drive = open_drive(shipped_drive(ECLIPSE_TRUCK) or Path(ECLIPSE_TRUCK))
        if not isinstance(drive, RecordDrive):
            raise TypeError("the shipped drive is one of records")
        self._blocks = blocks_of(drive)

    def publish(self, each: int) -> None:
        """Sign ``each`` new segments of every device, under a new boot, and publish them."""
        self._seed += 1
        t0 = _T0_MS + self._seed * 400 * _DAY_MS
        plan = FleetPlan(self._origin, each, t0, self._seed, self._blocks)
        uploads: list[Upload] = []
        cores = os.cpu_count() or 1
        for number, (device, statements) in enumerate(sign_fleet(self.devices, plan, cores)):
            uploads.append((device.device, self._enrolled[number], statements))
        self._last = [
            (device.key_pem, statements[:8])
            for device, (_, _, statements) in zip(self.devices, uploads, strict=True)
        ]
        sizes = [len(raw) for _, raws in self._last for raw in raws]
        self.bytes_mean = sum(sizes) // len(sizes)
        publish(uploads, cores)

    def sample(self) -> list[tuple[bytes, list[bytes]]]:
        """Keys and some of the statements last published."""
        return self._last


def _durability(directory: Directory) -> dict[str, str]:
    with connect(
        Settings(dir=directory.root, database_url=EmbeddedPostgres(directory).url)
    ) as conn:
        return {name: _shown(conn, name) for name in _DURABILITY}


def _shown(conn: psycopg.Connection[Any], name: str) -> str:
    row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else "unknown"
