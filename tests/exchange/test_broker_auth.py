"""What devices can and can't do at the real broker, asked and answered by the real responder."""

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiomqtt
import nats as nats_client
import psycopg
import pytest
from nats.aio.client import Client

from exchange.broker_auth import DatabasePasswords, Responder, serve
from exchange.broker_decision import Cause, NotAdmitted
from exchange.devices.repository import save_device
from exchange.directory import Directory
from exchange.nkey_tokens import NkeyIssuer
from exchange.orgs.repository import insert_organisation
from exchange.settings import Settings
from exchange.store.database import pool
from schemas.statements.org_key import Role
from tests.exchange.conftest import Broker

PASSWORD = "p" * 43
DEADLINE_S = 10.0


@dataclass(frozen=True)
class KnownDevices:
    """Passwords by (carrier, device)."""

    passwords: dict[tuple[str, str], str]

    def password_hash(self, carrier: str, device: str) -> bytes | None:
        password = self.passwords.get((carrier, device))
        return None if password is None else hashlib.sha256(password.encode()).digest()


DEVICES = KnownDevices({("acme", "dev-1"): PASSWORD, ("acme", "dev-2"): PASSWORD + "2"})


@dataclass(frozen=True)
class Scene:
    """The broker with a responder at work."""

    broker: Broker
    responder: Responder

    def device(
        self, name: str = "acme/dev-1", password: str = PASSWORD, client_id: str | None = None
    ) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.broker.mqtt_host,
            self.broker.mqtt_port,
            username=name,
            password=password,
            identifier=name if client_id is None else client_id,
            clean_session=False,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=ssl.create_default_context(cafile=str(self.broker.ca_file)),
            timeout=DEADLINE_S,
        )


Scenario = Callable[[Scene], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture
def play(nats: Broker, exchange_directory: Directory) -> Play:
    held = json.loads(exchange_directory.nats_secrets.read_bytes())

    @asynccontextmanager
    async def answering() -> AsyncIterator[Scene]:
        responder = Responder(NkeyIssuer(held["issuer_seed"]), DEVICES, lambda: int(time.time()))
        started = asyncio.Event()
        stopping = asyncio.Event()
        serving = asyncio.create_task(
            serve(
                nats.url,
                (held["callout_user"], held["callout_password"]),
                responder,
                started.set,
                stopping,
            )
        )
        await asyncio.wait_for(started.wait(), DEADLINE_S)
        yield Scene(nats, responder)
        stopping.set()
        await serving

    async def run(scenario: Scenario) -> None:
        async with answering() as scene:
            await asyncio.wait_for(scenario(scene), 4 * DEADLINE_S)

    return lambda scenario: asyncio.run(run(scenario))


def test_a_device_publishes_its_segments_and_hears_its_answers(play: Play) -> None:
    async def scenario(scene: Scene) -> None:
        exchange = await exchange_client(scene)
        stream = exchange.jetstream()
        await stream.add_stream(name="HP_SEG", subjects=["hp.v1.*.*.seg"])
        async with scene.device() as device:
            await device.subscribe("hp/v1/acme/dev-1/ack", qos=1)
            await device.publish("hp/v1/acme/dev-1/seg", b"segment", qos=1)
            message = await stream.get_msg("HP_SEG", 1)
            assert message.subject == "hp.v1.acme.dev-1.seg"
            assert message.data == b"segment"
            await exchange.publish("hp.v1.acme.dev-1.ack", b"receipt")
            heard = await asyncio.wait_for(anext(device.messages), DEADLINE_S)
            assert (heard.topic.value, heard.payload) == ("hp/v1/acme/dev-1/ack", b"receipt")
        await exchange.close()
        assert scene.responder.counted == {"admitted": 1}

    play(scenario)


@pytest.mark.parametrize(
    "topic",
    [
        "hp/v1/acme/dev-2/ack",
        "hp/v1/acme/+/ack",
        "hp/v1/#",
        "#",
        "hp/v1/acme/dev-1/seg",
        "$MQTT/#",
        "$MQTT/sub/#",
        "$MQTT/deliver/#",
        "$MQTT/msgs/#",
        "$JS/#",
        "$SYS/#",
    ],
)
def test_a_device_hears_nobody_elses_messages(play: Play, topic: str) -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.device() as device:
            granted = await subscribe(device, topic)
        assert granted in (None, 0x80)

    play(scenario)


def test_what_a_device_publishes_elsewhere_arrives_nowhere(play: Play) -> None:
    async def scenario(scene: Scene) -> None:
        exchange = await exchange_client(scene)
        heard = await exchange.subscribe(">")
        async with scene.device() as device:
            await device.publish("hp/v1/acme/dev-2/seg", b"forged", qos=1)
            await device.publish("hp/v1/acme/dev-1/seg", b"own", qos=1)
        arrived: list[str] = []
        while not arrived or not arrived[-1].startswith("hp.v1.acme.dev-1"):
            message = await heard.next_msg(timeout=DEADLINE_S)
            if not message.subject.startswith(("$", "_INBOX")):
                arrived.append(message.subject)
        await exchange.close()
        assert arrived == ["hp.v1.acme.dev-1.seg"]

    play(scenario)


@pytest.mark.parametrize(
    ("name", "password", "client_id", "cause"),
    [
        ("acme/dev-1", "wrong", None, "wrong-password"),
        ("acme/nobody", PASSWORD, None, "wrong-password"),
        ("acme/dev-1", PASSWORD, "acme/dev-2", "wrong-client-id"),
        ("acme", PASSWORD, None, "no-device-name"),
    ],
)
def test_who_is_no_known_device_is_not_admitted(
    play: Play, name: str, password: str, client_id: str | None, cause: str
) -> None:
    async def scenario(scene: Scene) -> None:
        with pytest.raises(aiomqtt.MqttError):
            async with scene.device(name, password, client_id):
                pass
        assert scene.responder.counted == {cause: 1}

    play(scenario)


def test_the_exchanges_own_account_is_closed_to_mqtt(play: Play) -> None:
    async def scenario(scene: Scene) -> None:
        with pytest.raises(aiomqtt.MqttError):
            async with scene.device(scene.broker.user, scene.broker.password):
                pass

    play(scenario)


def test_a_devices_password_does_not_open_the_exchanges_listener(play: Play) -> None:
    async def scenario(scene: Scene) -> None:
        port = int(scene.broker.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        login = {"user": "acme/dev-1", "pass": PASSWORD, "verbose": True}
        writer.write(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert b"-ERR 'Authorization Violation'" in said
        assert b"PONG" not in said

    play(scenario)


def test_malformed_requests_are_counted_and_stop_nothing(play: Play) -> None:
    async def scenario(scene: Scene) -> None:
        for token in (b"", b"no token", b"a.b.c", b"e30.e30.", b"\xff" * 70_000):
            assert scene.responder.answer(token) is None
        assert scene.responder.counted == {"malformed": 5}
        async with scene.device():
            assert scene.responder.counted["admitted"] == 1

    play(scenario)


async def exchange_client(scene: Scene) -> Client:
    return await nats_client.connect(
        scene.broker.url, user=scene.broker.user, password=scene.broker.password
    )


async def subscribe(device: aiomqtt.Client, topic: str) -> int | None:
    """The broker's return code; None when it ended the connection instead."""
    try:
        granted = await device.subscribe(topic, qos=1)
    except aiomqtt.MqttError:
        return None
    first = granted[0]
    return first if isinstance(first, int) else first.value


def test_a_password_is_found_by_its_hash_in_the_device_table(postgres: str) -> None:
    digest = hashlib.sha256(PASSWORD.encode()).digest()
    with psycopg.connect(postgres) as connection:
        insert_organisation(connection, "acme", Role.CARRIER)
        save_device(
            connection,
            carrier="acme",
            device="dev-1",
            assurance=1,
            note="",
            mqtt_secret_hash=digest,
        )
    with pool(Settings(database_url=postgres), size_max=1) as connections:
        passwords = DatabasePasswords(connections)
        assert passwords.password_hash("acme", "dev-1") == digest
        assert passwords.password_hash("acme", "dev-2") is None


def test_without_a_database_nobody_is_admitted_and_the_cause_is_counted(postgres: str) -> None:
    with pool(Settings(database_url=postgres), size_max=1) as connections:
        passwords = DatabasePasswords(connections)
    with pytest.raises(NotAdmitted) as refused:
        passwords.password_hash("acme", "dev-1")
    assert refused.value.cause is Cause.UNAVAILABLE
