"""A fleet's worth of signed segments, made beforehand, for measuring what an intake can take.

The columns are a real drive's, encoded once; each device has a key, a boot and a chain of its own.
Everything but the signatures is a function of the plan: the same seed makes the same payloads.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from firmware_sim.drives.model import RecordDrive, Value, second_of
from schemas.catalogue import BY_PATH, Signal
from schemas.columns import Column, encode_column
from schemas.cose import cbor, sign1
from schemas.cose.keys import SoftwareSigner
from schemas.deflated import deflate
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import BOOT_BYTES, SALT_BYTES
from schemas.names import device_issuer
from schemas.samples import Block, encode_block
from schemas.segment import CLOCK_GNSS, VERSION

STEP_MS = 1_000
SIGNALS = 10
SAMPLES = 60
CLOCK_UNCERTAINTY_MS = 100


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """A device that exists on paper: its names, and its private key as unencrypted PEM."""

    carrier: str
    device: str
    vehicle: str
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What every device signs: ``segments_each`` in a row from ``t0_ms`` (UTC) on."""

    origin: str
    segments_each: int
    t0_ms: int
    seed: int
    blocks: tuple[bytes, ...]
    """Samples of a real drive (payload key 6, deflated), taken in turn."""


def make_devices(carrier: str, count: int) -> list[FleetDevice]:
    """Devices ``load-000000`` onwards of one carrier, each with a fresh ES256 key."""
    return [
        FleetDevice(carrier, f"load-{n:06d}", f"v-load-{n:06d}", SoftwareSigner.generate().to_pem())
        for n in range(count)
    ]


def blocks_of(drive: RecordDrive, signals: int = SIGNALS) -> tuple[bytes, ...]:
    """The drive at 1 Hz in blocks of ``SAMPLES``, ready for payload key 6.

    The signals are those that the drive has most often, none of the class *driver*. A value holds
    until the next one, as a bus repeats it. ``ValueError`` when the drive is too short or too poor.
    """
    chosen = _most_frequent(drive, signals)
    rows = _seconds_of(drive, chosen)
    blocks: list[bytes] = []
    while len(part := list(islice(rows, SAMPLES))) == SAMPLES:
        columns: dict[int, Column] = {}
        for signal, values in zip(chosen, zip(*part, strict=True), strict=True):
            column = encode_column(values)
            if column is not None:
                columns[signal.id] = column
        blocks.append(deflate(encode_block(Block(SAMPLES, STEP_MS, None, columns))))
    if not blocks:
        raise ValueError(f"{drive.name} has no {SAMPLES} seconds with {signals} signals")
    return tuple(blocks)


def boot_of(device: FleetDevice, plan: FleetPlan) -> bytes:
    """The boot that all of the device's statements of this plan bear."""
    return _bytes(BOOT_BYTES, plan.seed, device.device, "boot")


def sign_device(device: FleetDevice, number: int, plan: FleetPlan) -> list[bytes]:
    """One device's statements in the order of its chain. ``number`` is its place in the fleet."""
    signer = SoftwareSigner.from_pem(device.key_pem)
    issuer = device_issuer(device.carrier, device.device)
    boot = boot_of(device, plan)
    prev, statements = b"", list[bytes]()
    for seq in range(plan.segments_each):
        payload: dict[int, object] = {
            1: VERSION,
            2: boot,
            3: seq,
            4: prev,
            5: plan.t0_ms + seq * SAMPLES * STEP_MS,
            6: plan.blocks[(number + seq) % len(plan.blocks)],
            7: [],
            8: [CLOCK_GNSS, CLOCK_UNCERTAINTY_MS],
            9: _bytes(SALT_BYTES, plan.seed, device.device, f"salt {seq}"),
            12: seq * SAMPLES * STEP_MS,
        }
        raw = sign1.sign(
            signer,
            issuer=issuer,
            subject=device.vehicle,
            origin=plan.origin,
            type_text=TYPE_TEXT[Kind.SEGMENT],
            payload=cbor.encode(payload),
        )
        prev = hashlib.sha256(raw).digest()
        statements.append(raw)
    return statements


def _most_frequent(drive: RecordDrive, signals: int) -> list[Signal]:
    counts: dict[str, int] = {}
    for record in drive.records():
        for path in record.values:
            counts[path] = counts.get(path, 0) + 1
    known = (BY_PATH[path] for path in counts if path in BY_PATH)
    usable = [signal for signal in known if not signal.driver]
    if len(usable) < signals:
        raise ValueError(f"{drive.name} has {len(usable)} signals, not {signals}")
    usable.sort(key=lambda signal: (-counts[signal.path], signal.id))
    return sorted(usable[:signals], key=lambda signal: signal.id)


def _seconds_of(drive: RecordDrive, signals: Sequence[Signal]) -> Iterator[list[int]]:
    """One row of stored values a second, from when every signal has been heard."""
    latest: dict[str, Value] = {}
    now: int | None = None
    for record in drive.records():
        second = second_of(record.time_ns)
        while now is not None and now < second and len(latest) == len(signals):
            yield [_stored(signal, latest[signal.path]) for signal in signals]
            now += 1
        now = second
        latest |= {s.path: record.values[s.path] for s in signals if s.path in record.values}


def _stored(signal: Signal, value: Value) -> int:
    return signal.values.index(value) if isinstance(value, str) else signal.encode(value)


def _bytes(size: int, seed: int, device: str, what: str) -> bytes:
    return hashlib.sha256(f"{seed}/{device}/{what}".encode()).digest()[:size]
