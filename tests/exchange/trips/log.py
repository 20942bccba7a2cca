"""A log with one carrier, its devices, and what they have measured: no processes, no network."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from exchange.derive.payloads import read_payloads
from exchange.devices.repository import (
    BindingRow,
    DeviceKeyRow,
    insert_binding,
    insert_device_key,
    save_device,
)
from exchange.segments import copying
from exchange.segments.model import Identity, NewSegment
from exchange.segments.normal import normalise
from exchange.segments.repository import copy_rows, reserve_ids
from exchange.transparency.model import NewLeaf
from exchange.transparency.repository import append_under, commit_statement, lock_head
from exchange.trips.derivation import Notary
from schemas.cose.keys import SoftwareSigner
from schemas.cose.sign1 import Statement, parse, sign, verify
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import device_issuer, org_issuer
from schemas.segment import Segment, seal_segment
from schemas.statements import binding, device_key, gap
from schemas.statements.trip import Trip, decode
from tests.exchange.derive.recordings import CARRIER, VEHICLE

ORIGIN = "localhost/haulproof-test"
EXCHANGE = "exchange"
NOW_MS = 1_800_000_000_000


@dataclass
class Device:
    """A device, and where its chain stands."""

    name: str
    signer: SoftwareSigner
    boot: bytes = field(default_factory=lambda: os.urandom(8))
    seq: int = 0
    prev: bytes = b""


@dataclass
class Log:
    """What a test puts into the log and reads out of it."""

    conn: Connection[Any]
    carrier: SoftwareSigner = field(default_factory=SoftwareSigner.generate)
    exchange: SoftwareSigner = field(default_factory=SoftwareSigner.generate)

    def __post_init__(self) -> None:
        self.conn.execute("INSERT INTO organisation (name, role) VALUES (%s, 'carrier')", [CARRIER])

    @property
    def notary(self) -> Notary:
        return Notary(EXCHANGE, ORIGIN, self.exchange, os.urandom, lambda: NOW_MS)

    def device(self, name: str, assurance: int = device_key.AGENT_MEASURED) -> Device:
        signer = SoftwareSigner.generate()
        message = device_key.possession_message(CARRIER, name, ORIGIN)
        key = device_key.DeviceKey(
            CARRIER,
            name,
            signer.public.cose_key,
            signer.sign(message),
            assurance,
            "",
            0,
            os.urandom(16),
        )
        with self.conn.transaction():
            index = self._commit(Kind.DEVICE_KEY, name, key.encode())
            save_device(
                self.conn,
                carrier=CARRIER,
                device=name,
                assurance=assurance,
                note="",
                mqtt_secret_hash=bytes(32),
            )
            public = signer.public
            row = DeviceKeyRow(
                CARRIER, name, public.cose_key, public.thumbprint, public.kid, index, None
            )
            insert_device_key(self.conn, row, 0)
        return Device(name, signer)

    def bind(self, device: Device, from_ms: int = 0, to_ms: int | None = None) -> int:
        record = binding.Binding(device.name, VEHICLE, from_ms, to_ms, os.urandom(16))
        with self.conn.transaction():
            index = self._commit(Kind.BINDING, VEHICLE, record.encode())
            row = BindingRow(index, CARRIER, device.name, VEHICLE, from_ms, to_ms)
            insert_binding(self.conn, row)
        return index

    def seal(self, device: Device, segments: Sequence[Segment]) -> list[NewSegment]:
        """Chain and sign segments in their order; ``commit`` may take them in any."""
        sealed = []
        for segment in segments:
            chained = replace(
                segment,
                boot=device.boot,
                seq=device.seq,
                prev=device.prev,
                salt=os.urandom(16),
            )
            one = seal_segment(
                chained,
                device.signer,
                issuer=device_issuer(CARRIER, device.name),
                vehicle=VEHICLE,
                origin=ORIGIN,
            )
            device.seq, device.prev = device.seq + 1, one.digest
            identity = Identity(CARRIER, device.name, device.boot, one.seq)
            now = datetime.now(UTC)
            sealed.append(NewSegment(identity, VEHICLE, one.digest, one.raw, now, 0))
        return sealed

    def commit(self, segments: Sequence[NewSegment]) -> list[int]:
        """One batch, as intake commits it; the leaves' indices."""
        with self.conn.transaction():
            ids = reserve_ids(self.conn, len(segments))
            rows = normalise(read_payloads([parse(one.raw).payload for one in segments]))
            placed = [one._replace(place=place) for place, one in enumerate(segments)]
            copy_rows(self.conn, copying.rows(placed, rows, ids, datetime.now(UTC)))
            leaves = [
                NewLeaf(Kind.SEGMENT, one.digest, row)
                for one, row in zip(segments, ids, strict=True)
            ]
            first = append_under(self.conn, lock_head(self.conn), leaves)
        return list(range(first, first + len(segments)))

    def commit_gap(self, device: Device, from_ms: int, to_ms: int) -> int:
        stated = gap.Gap(
            device.boot,
            device.seq,
            device.prev,
            from_ms,
            to_ms,
            gap.CAUSE_RESTART,
            (3, 10),
            os.urandom(16),
        )
        raw = sign(
            device.signer,
            issuer=device_issuer(CARRIER, device.name),
            subject=VEHICLE,
            origin=ORIGIN,
            type_text=TYPE_TEXT[Kind.GAP],
            payload=stated.encode(),
        )
        device.seq, device.prev = device.seq + 1, parse(raw).digest
        with self.conn.transaction():
            return commit_statement(self.conn, Kind.GAP, parse(raw))

    def trips(self) -> list[Trip]:
        """Every trip statement by index, its signature checked."""
        rows = self.conn.execute(
            "SELECT raw FROM statement WHERE kind = %s ORDER BY index", [Kind.TRIP]
        )
        statements = [parse(bytes(row[0])) for row in rows]
        for statement in statements:
            verify(statement, self.exchange.public)
            assert statement.header.issuer == org_issuer(EXCHANGE)
            assert statement.header.subject == VEHICLE
        return [decode(statement.payload) for statement in statements]

    def standing(self) -> list[tuple[bytes, int]]:
        """Id and revision of the trips that nothing has replaced, by start."""
        rows = self.conn.execute(
            """
            SELECT trip_id, revision FROM trip WHERE superseded_index IS NULL ORDER BY start_ms
            """
        )
        return [(bytes(trip_id), revision) for trip_id, revision in rows]

    def read(self, trip: Trip) -> list[Statement]:
        """What the full evidence of a trip holds beside it."""
        provenance = trip.provenance
        raws = self.conn.execute(
            """
            SELECT s.raw FROM leaf l JOIN segment s ON s.id = l.segment_id WHERE index = ANY(%s)
            UNION ALL
            SELECT raw FROM statement WHERE index = ANY(%s) OR kind = %s
            """,
            [
                list(provenance.inputs),
                [*provenance.inputs, *provenance.bindings],
                Kind.DEVICE_KEY,
            ],
        )
        return [parse(bytes(row[0])) for row in raws]

    def digests(self, indices: Sequence[int]) -> list[bytes]:
        rows = self.conn.execute(
            "SELECT digest FROM leaf WHERE index = ANY(%s) ORDER BY index", [list(indices)]
        )
        return [bytes(row[0]) for row in rows]

    def _commit(self, kind: Kind, subject: str, payload: bytes) -> int:
        raw = sign(
            self.carrier,
            issuer=org_issuer(CARRIER),
            subject=subject,
            origin=ORIGIN,
            type_text=TYPE_TEXT[kind],
            payload=payload,
        )
        return commit_statement(self.conn, kind, parse(raw))
