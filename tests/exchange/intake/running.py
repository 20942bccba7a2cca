"""A running intake over a real broker and store, with a signer, and ears for its answers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats as nats_client
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg import Connection

from exchange.intake.jetstream import JetStreamQueue
from exchange.intake.pipeline import Intake, Limits
from exchange.log_keys import LogKeys
from exchange.transparency.signer import follow
from ledger.checkpoint import open_checkpoint
from ledger.cosignature import MLDSA44Cosigner
from ledger.fence import FileFence
from ledger.leaf import statement_leaf_hash
from ledger.multiproof import verify_multiproof
from ledger.note import Ed25519NoteSigner
from schemas.cose import cbor, sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import StatementRefused
from schemas.kinds import kind_of_type
from schemas.wire import ack, refusal
from schemas.wire.refusal import Refusal
from schemas.wire.topics import segment_topic
from tests.exchange.conftest import Broker
from tests.exchange.intake.trucks import ORIGIN, Truck

DEADLINE_S = 30
LIMITS = Limits(messages_max=50, age_s=0.02)
STREAM_BYTES_MAX = 20_000_000


class Signing:
    """A signer in a thread, over its own connection and fence."""

    def __init__(self, postgres: str, folder: Path) -> None:
        self.fence = folder / "fence"
        self._key = Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        self._postgres = postgres
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def log_signer(self) -> Ed25519NoteSigner:
        return self._key

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(DEADLINE_S)

    def _run(self) -> None:
        with psycopg.connect(self._postgres, autocommit=True) as conn:
            keys = LogKeys(self._key, MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.generate()))
            follow(conn, FileFence(self.fence), keys, 0.02, self._stop)


class Ears:
    """What devices hear: verified receipts by statement digest, and refusals by theirs."""

    def __init__(self, log_key: Ed25519NoteSigner, exchange_key: SoftwareSigner) -> None:
        self._log_key = log_key
        self._exchange_key = exchange_key
        self.sent: dict[tuple[str, bytes, int], bytes] = {}
        self.receipts: dict[bytes, list[int]] = {}
        self.refusals: dict[bytes, Refusal] = {}

    async def hear(self, message: Msg) -> None:
        topic = message.subject.replace(".", "/")
        if topic.endswith("/ack"):
            self._hear_receipts(topic.removesuffix("/ack"), message.data)
        elif topic.endswith("/ref"):
            statement = sign1.parse(message.data)
            sign1.verify(statement, self._exchange_key.public)
            told = refusal.decode(statement.payload)
            self.refusals[told.digest] = told

    def _hear_receipts(self, device: str, message: bytes) -> None:
        """As an agent does: digests from its own bytes, the proof against the log's key."""
        told = ack.decode(message)
        head = open_checkpoint(told.note, self._log_key.vkey).head
        own = {one.index: self.sent[device, one.boot, one.seq] for one in told.receipts}
        hashes = {}
        for index, raw in own.items():
            statement = sign1.parse(raw)
            kind = int(kind_of_type(statement.header.type))
            hashes[index] = statement_leaf_hash(kind, statement.digest)
        verify_multiproof(hashes, head.size, told.hashes, head.root)
        for index, raw in own.items():
            self.receipts.setdefault(sign1.parse(raw).digest, []).append(index)


def name_of(payload: bytes) -> tuple[bytes, int] | None:
    """Boot and seq of a statement; None of noise."""
    try:
        statement = sign1.parse(payload)
        fields = cbor.decode(statement.payload)
        return fields[2], fields[3]
    except (StatementRefused, LookupError, TypeError):
        return None


class Running:
    """The handle that a test holds."""

    def __init__(self, client: Client, ears: Ears, intake: Intake, stop: asyncio.Event) -> None:
        self.client = client
        self.ears = ears
        self.intake = intake
        self.stop = stop

    async def send(self, truck: Truck, *payloads: bytes, topic: str | None = None) -> None:
        """Publish as the truck's device, or on another topic."""
        own = segment_topic(truck.carrier, truck.device)
        for payload in payloads:
            self.remember(truck, payload)
            await self.client.publish((topic or own).replace("/", "."), payload)
        await self.client.flush()

    def remember(self, truck: Truck, payload: bytes) -> None:
        """The outbox of a truck: what it sent, by boot and seq."""
        name = name_of(payload)
        if name is not None:
            device = f"hp/v1/{truck.carrier}/{truck.device}"
            self.ears.sent.setdefault((device, *name), payload)

    async def until(self, met: Callable[[], bool], what: str) -> None:
        """Wait on a state, with a deadline."""
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not met():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"never: {what}")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    broker: Broker,
    postgres: str,
    folder: Path,
    *,
    limits: Limits = LIMITS,
    queue: Callable[[Client, int], JetStreamQueue] = JetStreamQueue,
    connect: Callable[[], Connection[Any]] | None = None,
) -> AsyncIterator[Running]:
    """Intake and signer until the block ends; an error of either is the test's."""
    signing, exchange_key = Signing(postgres, folder), SoftwareSigner.generate()
    ears = Ears(signing.log_signer(), exchange_key)
    client = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    own = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    await client.subscribe("hp.v1.*.*.*", cb=ears.hear)
    intake = Intake(
        queue(own, STREAM_BYTES_MAX),
        connect or (lambda: psycopg.connect(postgres)),
        origin=ORIGIN,
        organisation="exchange",
        signer=exchange_key,
        limits=limits,
    )
    stop = asyncio.Event()
    signing.start()
    task = asyncio.create_task(intake.run(stop))
    try:
        await stream_is_there(client)
        yield Running(client, ears, intake, stop)
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
        signing.stop()
        await own.close()
        await client.close()


async def stream_is_there(client: Client) -> None:
    """Until the consumer stands; what is published before would be in no stream."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        try:
            await client.jetstream().consumer_info("HP_SEG", "intake")
            return
        except nats_client.js.errors.Error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.02)
