"""A small exchange behind a real broker: a log in memory, acknowledgements and refusals.

It verifies what the exchange's intake verifies first (form, signature, uniqueness), commits each
statement as a leaf, and answers by multi-proof under a signed checkpoint. Tests switch it deaf,
make it refuse, or make it lie.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from nats.aio.msg import Msg

from edge_agent.enrolment import enrol, read_request, write_private
from ledger.checkpoint import TreeHead, sign_checkpoint
from ledger.leaf import statement_leaf_hash
from ledger.merkle import root_from_leaf_hashes
from ledger.multiproof import multiproof
from ledger.note import Ed25519NoteSigner
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import StatementRefused
from schemas.kinds import REFUSAL_TYPE, Kind, kind_of_type
from schemas.segment import Segment, read_segment_strict
from schemas.statements import gap as gap_statement
from schemas.statements.gap import Gap
from schemas.wire.ack import Ack, Receipt
from schemas.wire.refusal import Refusal
from tests.edge_agent.broker import CARRIER, DEVICE, PASSWORD, Broker

ORIGIN = "localhost/haulproof-0123abcd"
VEHICLE = "v-1"


@dataclass
class FakeExchange:
    """The log and what has come in. ``deaf`` answers nothing; ``judge`` may refuse a statement."""

    broker: Broker
    log_signer: Ed25519NoteSigner
    key: SoftwareSigner
    device_key: SoftwareSigner | None = None
    deaf: bool = False
    judge: Callable[[sign1.Statement], tuple[str, bool] | None] = lambda statement: None
    received: int = 0
    leaves: list[bytes] = field(default_factory=list)
    index_of: dict[bytes, int] = field(default_factory=dict)
    statements: list[tuple[Kind, sign1.Statement]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _client: Client | None = None

    @classmethod
    def make(cls, broker: Broker) -> "FakeExchange":
        signer = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        return cls(broker, signer, SoftwareSigner.generate())

    def enrolment(self, folder: Path) -> None:
        """What ``agent enrol`` and ``device add`` leave in the agent's folder."""
        enrol(folder, CARRIER, DEVICE, ORIGIN)
        self.device_key = SoftwareSigner.from_pem((folder / "device.key").read_bytes())
        document = {
            "mqtt_host": "127.0.0.1",
            "mqtt_port": self.broker.mqtt_port,
            "mqtt_username": read_request(folder).carrier + "/" + DEVICE,
            "mqtt_password": PASSWORD,
            "ca_pem": self.broker.ca_pem,
            "log_origin": ORIGIN,
            "log_vkey": str(self.log_signer.vkey),
            "exchange_keys": [self.key.public.cose_key.hex()],
            "ack_interval_s": 0,
            "vehicle": VEHICLE,
        }
        write_private(folder / "enrolment.json", json.dumps(document).encode())

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Take statements until left; survives restarts of the broker."""
        client = await nats.connect(
            f"nats://127.0.0.1:{self.broker.nats_port}",
            user="exchange",
            password=PASSWORD,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignore,
        )
        self._client = client
        await client.subscribe("hp.v1.*.*.seg", cb=self._take)
        await client.flush()
        try:
            yield
        finally:
            self._client = None
            await client.close()

    async def _take(self, message: Msg) -> None:
        self.received += 1
        self.changed.set()
        if self.deaf:
            return
        statement = sign1.parse(message.data)
        refused = self.judge(statement)
        if refused is not None:
            await self.refuse(statement, *refused)
        else:
            self.commit(statement)
            await self.acknowledge([statement])

    def commit(self, statement: sign1.Statement) -> int:
        """The statement's leaf index; the first one for a copy. ``StatementRefused`` if unfit."""
        if self.device_key is not None:
            sign1.verify(statement, self.device_key.public)
        kind = kind_of_type(statement.header.type)
        known = self.index_of.get(statement.digest)
        if known is not None:
            return known
        self.index_of[statement.digest] = len(self.leaves)
        self.leaves.append(statement_leaf_hash(kind, statement.digest))
        self.statements.append((kind, statement))
        return len(self.leaves) - 1

    def ack(self, statements: Sequence[sign1.Statement]) -> Ack:
        """The acknowledgement of committed statements."""
        receipts = sorted(
            (Receipt(*_name(s), self.index_of[s.digest]) for s in statements),
            key=lambda receipt: receipt.index,
        )
        size = len(self.leaves)
        head = TreeHead(ORIGIN, size, root_from_leaf_hashes(self.leaves))
        hashes = multiproof(self._node, [receipt.index for receipt in receipts], size)
        return Ack(sign_checkpoint(head, self.log_signer), tuple(receipts), tuple(hashes))

    async def acknowledge(self, statements: Sequence[sign1.Statement]) -> None:
        """Send the receipts of committed statements."""
        await self.publish("ack", self.ack(statements).encode())

    async def refuse(self, statement: sign1.Statement, cause: str, permanent: bool) -> None:
        """Send a signed refusal."""
        refusal = Refusal(*_name(statement), statement.digest, cause, permanent)
        await self.publish("ref", self.signed_refusal(refusal, statement.header.issuer))

    def signed_refusal(
        self, refusal: Refusal, device: str, key: SoftwareSigner | None = None
    ) -> bytes:
        """A refusal as the exchange sends it."""
        return sign1.sign(
            key or self.key,
            issuer="hp:exchange",
            subject=device,
            origin=ORIGIN,
            type_text=REFUSAL_TYPE,
            payload=refusal.encode(),
        )

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send bytes to the device, if the broker is there."""
        if self._client is not None:
            with suppress(Exception):
                await self._client.publish(f"hp.v1.{CARRIER}.{DEVICE}.{topic}", payload)

    def segments(self) -> list[Segment]:
        """The segments in the log, in its order."""
        return [read_segment_strict(s.payload) for k, s in self.statements if k is Kind.SEGMENT]

    def gaps(self) -> list[Gap]:
        """The gaps in the log, in its order."""
        return [gap_statement.decode(s.payload) for k, s in self.statements if k is Kind.GAP]

    async def until(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until a condition of this exchange holds."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.1)

    def _node(self, level: int, index: int) -> bytes:
        return root_from_leaf_hashes(self.leaves[index << level : (index + 1) << level])


def unbroken(statements: Sequence[tuple[Kind, sign1.Statement]]) -> bool:
    """Whether statements, sorted by sequence within their boots, hang on one ``prev`` chain."""
    prevs, digests = set(), set()
    for kind, statement in statements:
        payload = statement.payload
        part = read_segment_strict(payload) if kind is Kind.SEGMENT else None
        prevs.add(part.prev if part else gap_statement.decode(payload).prev)
        digests.add(statement.digest)
    return len(prevs) == len(statements) and len(prevs - digests) == 1


def _name(statement: sign1.Statement) -> tuple[bytes, int]:
    try:
        segment = read_segment_strict(statement.payload)
        return segment.boot, segment.seq
    except StatementRefused:
        gap = gap_statement.decode(statement.payload)
        return gap.boot, gap.seq


async def _ignore(error: Exception) -> None:
    """The broker is away; nats-py comes back by itself."""
