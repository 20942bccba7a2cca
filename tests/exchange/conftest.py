"""Real servers for every test under tests/exchange; a session starts each once and ends it.

``postgres``         libpq URL of a fresh database with every migration, dropped after the test, as
                     the exchange's processes have it
``owner``            a connection to it as the owner of the schema, for what they may not do
``empty_postgres``   the same without migrations, owned by that role
``nats``             the running broker: URL, user and password of the exchange's account, MQTT
                     address, CA file; streams are deleted after the test
``mosquitto``        a Mosquitto of this test's own, from the files that an operator would use
``world``            an exchange's API on an empty log, with everyone around it
``own_world``        the same for a test that leaves it broken
``postgres_server``, ``nats_server``, ``exchange_directory``   the session's servers, directory
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats as nats_client
import psycopg
import pytest
from psycopg import sql

from exchange.directory import Directory, open_directory
from exchange.embedded.nats import EmbeddedNats
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.postgres_cluster import DATABASE, OWNER_ROLE, RUNTIME_ROLE
from exchange.kept_ports import Ports, keep_ports
from exchange.settings import Settings
from exchange.store.migration import migrate
from tests.exchange.mosquitto import Mosquitto, mosquitto_of
from tests.exchange.owner import owner_url
from tests.exchange.pristine import Pristine, remember
from tests.exchange.world import World, running


@dataclass(frozen=True)
class Broker:
    """The running broker, as the exchange and as agents reach it."""

    url: str
    user: str
    password: str
    mqtt_host: str
    mqtt_port: int
    ca_file: Path


@pytest.fixture(scope="session")
def exchange_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(dir=tmp_path_factory.mktemp("exchange") / "dir")


@pytest.fixture(scope="session")
def exchange_directory(exchange_settings: Settings) -> Directory:
    return open_directory(exchange_settings)


@pytest.fixture(scope="session")
def postgres_server(exchange_directory: Directory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(exchange_directory)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres, exchange_directory: Directory) -> str:
    name = "template_migrated"
    _make_database(postgres_server, name, "template1", OWNER_ROLE)
    url = _url_of(postgres_server, name)
    migrate(_Roles(url, owner_url(exchange_directory, url)))
    return name


@pytest.fixture
def postgres(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, migrated_template) as url:
        yield url


@pytest.fixture
def owner(postgres: str, exchange_directory: Directory) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(owner_url(exchange_directory, postgres), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def kept_world(
    postgres_server: EmbeddedPostgres,
    migrated_template: str,
    exchange_directory: Directory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[World, Pristine]]:
    fence = tmp_path_factory.mktemp("fence") / "fence"
    with fresh_database(postgres_server, migrated_template) as url:
        pristine = remember(owner_url(exchange_directory, url))
        with running(exchange_directory, url, fence) as made:
            yield made, pristine


@pytest.fixture
def world(kept_world: tuple[World, Pristine]) -> World:
    made, pristine = kept_world
    made.begin_again(pristine)
    return made


@pytest.fixture
def own_world(postgres: str, exchange_directory: Directory, tmp_path: Path) -> Iterator[World]:
    with running(exchange_directory, postgres, tmp_path / "fence") as made:
        yield made


@pytest.fixture
def empty_postgres(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    with fresh_database(postgres_server, "template1", RUNTIME_ROLE) as url:
        yield url


@pytest.fixture(scope="session")
def exchange_ports(exchange_settings: Settings, exchange_directory: Directory) -> Ports:
    return keep_ports(exchange_settings, exchange_directory)


@pytest.fixture(scope="session")
def nats_server(
    exchange_settings: Settings, exchange_directory: Directory, exchange_ports: Ports
) -> Iterator[EmbeddedNats]:
    server = EmbeddedNats(exchange_directory, exchange_settings, exchange_ports)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nats(
    nats_server: EmbeddedNats, exchange_directory: Directory, exchange_ports: Ports
) -> Iterator[Broker]:
    held = json.loads(exchange_directory.nats_secrets.read_bytes())
    broker = Broker(
        url=nats_server.url,
        user=held["exchange_user"],
        password=held["exchange_password"],
        mqtt_host="127.0.0.1",
        mqtt_port=exchange_ports.mqtt,
        ca_file=exchange_directory.ca_certificate,
    )
    yield broker
    asyncio.run(_delete_streams(broker))


@pytest.fixture
def mosquitto(exchange_directory: Directory, exchange_ports: Ports) -> Iterator[Mosquitto]:
    with mosquitto_of(exchange_directory) as server:
        yield server


@dataclass(frozen=True)
class _Roles:
    database_url: str
    migration_url: str


@contextmanager
def fresh_database(
    server: EmbeddedPostgres, template: str, owner: str = OWNER_ROLE
) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    _make_database(server, name, template, owner)
    yield _url_of(server, name)
    with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
        superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _make_database(server: EmbeddedPostgres, name: str, template: str, owner: str) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
        superuser.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template)
            )
        )


def _url_of(server: EmbeddedPostgres, name: str) -> str:
    return server.url.replace(f"@/{DATABASE}?", f"@/{name}?")


async def _delete_streams(broker: Broker) -> None:
    client = await nats_client.connect(broker.url, user=broker.user, password=broker.password)
    try:
        for stream in await client.jetstream().streams_info():
            if not (stream.config.name or "").startswith("$MQTT"):
                await client.jetstream().delete_stream(stream.config.name or "")
    finally:
        await client.close()
