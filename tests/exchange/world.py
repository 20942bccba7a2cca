"""A whole exchange without processes: its API on a real socket, and what organisations do with it.

``World`` is made once per database. It plays every part in turn: the operator admits, carriers
sign, devices seal, the exchange commits and publishes, readers read.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import uvicorn

from exchange.api.app import make_app
from exchange.api.context import Exchange
from exchange.api.process import introduce, open_exchange
from exchange.directory import Directory
from exchange.kept_ports import Ports
from exchange.log_keys import open_log_keys
from exchange.settings import Settings
from exchange.signed_text import statement_text
from exchange.transparency.repository import commit_statement
from exchange.transparency.signer import LogSigner
from ledger.fence import FileFence
from schemas.columns import encode_column
from schemas.cose.keys import Signer, SoftwareSigner
from schemas.cose.sign1 import parse, sign
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import device_issuer, org_issuer
from schemas.samples import Block
from schemas.segment import Segment, seal_segment
from schemas.statements import device_key, gap, org_key
from schemas.statements.binding import Binding
from schemas.statements.grant import Grant, Precision, Purpose
from schemas.statements.revocation import Revocation
from schemas.statements.trip import Provenance, Trip, group_digests
from tests.exchange.committed import SAMPLES, insert_segment, insert_trip, trip_content
from tests.exchange.pristine import Pristine, restore

T0 = 1_700_000_000_000


@dataclass
class Organisation:
    """An admitted organisation, its key, and its client with a token."""

    name: str
    signer: Signer
    client_id: str
    client_secret: str
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Device:
    """An admitted device, its key and how far its chain has come."""

    carrier: str
    name: str
    vehicle: str
    signer: Signer
    boot: bytes
    seq: int = 0
    prev: bytes = b""


@dataclass
class World:
    """One exchange and everyone around it."""

    settings: Settings
    directory: Directory
    exchange: Exchange
    http: httpx.Client
    operator: Organisation
    fence: Path
    orgs: dict[str, Organisation] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.exchange.origin

    def begin_again(self, pristine: Pristine) -> None:
        """An empty log and nobody but the operator."""
        restore(pristine)
        self.fence.unlink(missing_ok=True)
        self.orgs.clear()
        introduce(self.settings, self.directory)
        self.operator.token = self.token_of(self.operator.client_id, self.operator.client_secret)

    def token_of(self, client_id: str, secret: str) -> str:
        answer = self.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret)
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def admission(self, name: str, role: str, signer: Signer) -> dict[str, str]:
        cose_key = signer.public.cose_key
        proof = signer.sign(org_key.possession_message(cose_key))
        return {"name": name, "role": role, "cose_key": cose_key.hex(), "proof": proof.hex()}

    def admit(self, name: str, role: str) -> Organisation:
        signer = SoftwareSigner.generate()
        answer = self.http.post(
            "/v1/orgs", json=self.admission(name, role, signer), headers=self.operator.headers
        )
        assert answer.status_code == 201, answer.text
        made = answer.json()
        org = Organisation(name, signer, made["client_id"], made["client_secret"])
        org.token = self.token_of(org.client_id, org.client_secret)
        self.orgs[name] = org
        return org

    def device_statements(
        self,
        carrier: Organisation,
        device: str,
        vehicle: str,
        signer: Signer,
        *,
        by: Signer | None = None,
        origin: str | None = None,
    ) -> dict[str, str]:
        """What ``device add`` sends; ``by`` signs instead of the carrier."""
        at = origin or self.origin
        record = device_key.DeviceKey(
            carrier=carrier.name,
            device=device,
            cose_key=signer.public.cose_key,
            proof=signer.sign(device_key.possession_message(carrier.name, device, at)),
            assurance=device_key.AGENT_MEASURED,
            note="",
            created_ms=T0,
            salt=os.urandom(16),
        )
        binding = Binding(device, vehicle, 0, None, os.urandom(16))
        return {
            "device_key": self.signed(
                Kind.DEVICE_KEY, carrier, device, record.encode(), by=by, origin=at
            ),
            "binding": self.signed(
                Kind.BINDING, carrier, vehicle, binding.encode(), by=by, origin=at
            ),
        }

    def signed(
        self,
        kind: Kind,
        org: Organisation,
        subject: str,
        payload: bytes,
        *,
        by: Signer | None = None,
        origin: str | None = None,
    ) -> str:
        raw = sign(
            by or org.signer,
            issuer=org_issuer(org.name),
            subject=subject,
            origin=origin or self.origin,
            type_text=TYPE_TEXT[kind],
            payload=payload,
        )
        return statement_text(raw)

    def add_device(self, carrier: Organisation, device: str, vehicle: str) -> Device:
        signer = SoftwareSigner.generate()
        body = {"statements": self.device_statements(carrier, device, vehicle, signer)}
        answer = self.http.post("/v1/devices", json=body, headers=carrier.headers)
        assert answer.status_code == 201, answer.text
        return Device(carrier.name, device, vehicle, signer, os.urandom(8))

    def grant_statement(self, carrier: Organisation, grantee: str, **changed: Any) -> str:
        granted = Grant(
            **{
                "grantee": grantee,
                "purpose": Purpose.INSURANCE,
                "legal_basis": "contract",
                "vehicles": ("v-1",),
                "fields": None,
                "precision": Precision.EXACT,
                "identity": True,
                "window_from_ms": 0,
                "window_to_ms": None,
                "expires_ms": self.exchange.now_ms() + 3_600_000,
                "salt": os.urandom(16),
                **changed,
            }
        )
        return self.signed(Kind.GRANT, carrier, grantee, granted.encode())

    def grant(self, carrier: Organisation, grantee: str, **changed: Any) -> dict[str, Any]:
        body = {"statement": self.grant_statement(carrier, grantee, **changed)}
        answer = self.http.post("/v1/grants", json=body, headers=carrier.headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def revocation(self, carrier: Organisation, granted: dict[str, Any]) -> dict[str, str]:
        revoked = Revocation(
            Kind.GRANT, bytes.fromhex(granted["id"]), self.exchange.now_ms(), os.urandom(16)
        )
        payload = revoked.encode()
        return {"statement": self.signed(Kind.REVOCATION, carrier, granted["grantee"], payload)}

    def revoke(self, carrier: Organisation, granted: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(
            f"/v1/grants/{granted['id']}/revocation",
            json=self.revocation(carrier, granted),
            headers=carrier.headers,
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def commit_segment(self, device: Device, t0: int, *, driver_class: bool = False) -> int:
        """Seal 60 s from ``t0`` and commit them as intake would; returns the leaf's index."""
        speed = encode_column([8_000] * SAMPLES)
        assert speed is not None
        segment = Segment(
            boot=device.boot,
            seq=device.seq,
            prev=device.prev,
            t0=t0,
            block=Block(n=SAMPLES, step_ms=1_000, offsets=None, columns={1: speed}),
            events=(),
            clock=(3, 10),
            salt=os.urandom(16),
            mono=1_000,
            driver_class=driver_class,
        )
        issuer = device_issuer(device.carrier, device.name)
        sealed = seal_segment(
            segment, device.signer, issuer=issuer, vehicle=device.vehicle, origin=self.origin
        )
        device.seq, device.prev = device.seq + 1, sealed.digest
        with self.exchange.connection() as conn:
            return insert_segment(
                conn,
                segment,
                carrier=device.carrier,
                device=device.name,
                vehicle=device.vehicle,
                raw=sealed.raw,
                digest=sealed.digest,
            )

    def commit_gap(self, device: Device, from_ms: int, to_ms: int) -> int:
        stated = gap.Gap(
            boot=device.boot,
            seq=device.seq,
            prev=device.prev,
            from_ms=from_ms,
            to_ms=to_ms,
            cause=gap.CAUSE_RESTART,
            clock=(3, 10),
            salt=os.urandom(16),
        )
        raw = sign(
            device.signer,
            issuer=device_issuer(device.carrier, device.name),
            subject=device.vehicle,
            origin=self.origin,
            type_text=TYPE_TEXT[Kind.GAP],
            payload=stated.encode(),
        )
        statement = parse(raw)
        device.seq, device.prev = device.seq + 1, statement.digest
        with self.exchange.connection() as conn:
            return commit_statement(conn, Kind.GAP, statement)

    def commit_trip(
        self, device: Device, t0: int, inputs: list[int], *, revision: int = 1
    ) -> tuple[str, int]:
        """A trip over these leaves, as derivation would commit it; returns its id and its index."""
        trip_id = hashlib.sha256(f"{device.carrier}/{device.vehicle}/{t0}".encode()).digest()[:16]
        with self.exchange.connection() as conn:
            rows = conn.execute(
                "SELECT index, digest FROM leaf WHERE index = ANY(%s) ORDER BY index", [inputs]
            ).fetchall()
            content = trip_content(trip_id, device.carrier, device.vehicle, t0, len(rows) * SAMPLES)
            provenance = Provenance(
                revision=revision,
                supersedes=() if revision == 1 else ((trip_id, revision - 1),),
                inputs=tuple(index for index, _ in rows),
                digests=group_digests([bytes(digest) for _, digest in rows]),
                faults=(),
            )
            statement = parse(
                sign(
                    self.exchange.signer,
                    issuer=org_issuer(self.exchange.organisation),
                    subject=device.vehicle,
                    origin=self.origin,
                    type_text=TYPE_TEXT[Kind.TRIP],
                    payload=Trip(content, provenance, os.urandom(16)).encode(),
                )
            )
            index = commit_statement(conn, Kind.TRIP, statement)
            insert_trip(conn, index, content, provenance)
        return trip_id.hex(), index

    def publish(self) -> int:
        """Sign a checkpoint over everything committed; returns its size."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as conn:
            keys = open_log_keys(self.directory)
            signer = LogSigner(conn, FileFence(self.fence), keys.ed25519, keys.ml_dsa)
            published = signer.turn()
        assert published is not None
        return published.size


@contextmanager
def running(directory: Directory, database_url: str, fence: Path, **told: Any) -> Iterator[World]:
    """An exchange's API on a free port, on a migrated database, ``told`` more settings."""
    settings = Settings(dir=directory.root, database_url=database_url, **told)
    introduce(settings, directory)
    exchange = open_exchange(settings, directory, Ports(api=0, mqtt=8883, nats=0))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        make_app(exchange), http="h11", ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = listening.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            yield _world(settings, directory, exchange, http, fence)
    finally:
        server.should_exit = True
        thread.join(20)
        exchange.pool.close()


def _world(
    settings: Settings, directory: Directory, exchange: Exchange, http: httpx.Client, fence: Path
) -> World:
    secret = json.loads(directory.operator.read_bytes())
    operator = Organisation(
        settings.organisation, exchange.signer, secret["client_id"], secret["client_secret"]
    )
    world = World(settings, directory, exchange, http, operator, fence)
    operator.token = world.token_of(operator.client_id, operator.client_secret)
    return world
