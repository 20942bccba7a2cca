"""Trucks that sign, and a store that knows their keys: what intake's tests are made of."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from exchange.devices import repository as devices
from exchange.devices.repository import DeviceKeyRow
from exchange.intake.model import Message
from exchange.transparency.repository import append_leaves, bump_key_epoch
from schemas.columns import Column, encode_column
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import TYPE_TEXT, Kind
from schemas.samples import Block
from schemas.segment import Segment, SegmentEvent, seal_segment
from schemas.statements.gap import CAUSE_RESTART, Gap
from schemas.wire.topics import segment_topic

ORIGIN = "example.org/intake-test"
T0 = 1_700_000_000_000
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class Truck:
    """One device: signs segments and gaps of one boot in a row."""

    def __init__(
        self,
        device: str = "dev-1",
        *,
        carrier: str = "acme",
        vehicle: str = "v-1",
        origin: str = ORIGIN,
        seed: int = 1,
    ) -> None:
        self.carrier, self.device, self.vehicle = carrier, device, vehicle
        self.origin = origin
        self.rng = random.Random(f"{seed} {carrier} {device}")
        self.signer = SoftwareSigner.generate()
        self.boot = self.rng.randbytes(8)
        self.seq = 0
        self.prev = b""

    @property
    def issuer(self) -> str:
        return f"hp:{self.carrier}/{self.device}"

    def segment(
        self,
        values: dict[int, Sequence[int | None]] | None = None,
        *,
        offsets: Sequence[int] | None = None,
        step_ms: int = 1000,
        seq: int | None = None,
        vehicle: str | None = None,
        events: tuple[SegmentEvent, ...] = (),
    ) -> bytes:
        """The next segment; by default five samples of speed, latitude and longitude."""
        values = values or {
            1: [6000 + self.rng.randrange(100) for _ in range(5)],
            4: [480_000_000 + i * 900 for i in range(5)],
            5: [110_000_000 + i * 900 for i in range(5)],
        }
        n = len(next(iter(values.values())))
        columns = {signal: encoded(column) for signal, column in values.items()}
        times = None if offsets is None else encoded(offsets)
        segment = Segment(
            boot=self.boot,
            seq=self.seq if seq is None else seq,
            prev=self.prev,
            t0=T0 + self.seq * 60_000,
            block=Block(n, None if times else step_ms, times, columns),
            events=events,
            clock=(3, 20),
            salt=self.rng.randbytes(16),
            mono=self.seq * 60_000,
        )
        sealed = seal_segment(
            segment,
            self.signer,
            issuer=self.issuer,
            vehicle=vehicle or self.vehicle,
            origin=self.origin,
        )
        if seq is None:
            self.seq, self.prev = self.seq + 1, sealed.digest
        return sealed.raw

    def gap(self) -> bytes:
        """The next statement, a gap of a minute."""
        start = T0 + self.seq * 60_000
        gap = Gap(
            boot=self.boot,
            seq=self.seq,
            prev=self.prev,
            from_ms=start,
            to_ms=start + 60_000,
            cause=CAUSE_RESTART,
            clock=(3, 20),
            salt=self.rng.randbytes(16),
        )
        raw = self.sign(Kind.GAP, gap.encode())
        self.seq, self.prev = self.seq + 1, sign1.parse(raw).digest
        return raw

    def sign(
        self,
        kind: Kind,
        payload: bytes,
        *,
        origin: str | None = None,
        issuer: str | None = None,
        vehicle: str | None = None,
    ) -> bytes:
        """Any payload, signed by this truck's key."""
        return sign1.sign(
            self.signer,
            issuer=issuer or self.issuer,
            subject=vehicle or self.vehicle,
            origin=origin or self.origin,
            type_text=TYPE_TEXT[kind],
            payload=payload,
        )

    def message(self, payload: bytes, topic: str | None = None) -> Message:
        """The payload as the broker hands it on."""
        return Message(topic or segment_topic(self.carrier, self.device), payload, NOW)


def encoded(values: Sequence[int | None]) -> Column:
    column = encode_column(values)
    assert column is not None
    return column


def admit(conn: Connection[Any], *trucks: Truck) -> None:
    """Let the store know the trucks' keys, as the API does after it has checked their records."""
    with conn.transaction():
        for truck in trucks:
            conn.execute(
                "INSERT INTO organisation (name, role) VALUES (%s, 'carrier')"
                " ON CONFLICT DO NOTHING",
                [truck.carrier],
            )
            devices.save_device(
                conn,
                carrier=truck.carrier,
                device=truck.device,
                assurance=1,
                note="",
                mqtt_secret_hash=bytes(32),
            )
            key = truck.signer.public
            index = append_leaves(conn, [(int(Kind.DEVICE_KEY), truck.rng.randbytes(32))])
            devices.insert_device_key(
                conn,
                DeviceKeyRow(
                    truck.carrier,
                    truck.device,
                    key.cose_key,
                    key.thumbprint,
                    key.kid,
                    index,
                    None,
                ),
                T0,
            )
        bump_key_epoch(conn)


def revoke(conn: Connection[Any], truck: Truck) -> None:
    with conn.transaction():
        conn.execute(
            "UPDATE device_key SET revoked_index = 0 WHERE carrier = %s AND device = %s",
            [truck.carrier, truck.device],
        )
        bump_key_epoch(conn)
