"""The embedded NATS server with real clients."""

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import nats as nats_client
import pytest

from exchange.directory import Directory, open_directory, renew_certificates
from exchange.embedded.nats import MESSAGE_BYTES_MAX, EmbeddedNats
from exchange.embedded.programs import nats_program
from exchange.exits import EnvironmentUnfit
from exchange.kept_ports import Ports, keep_ports
from exchange.settings import Settings
from schemas.limits import STATEMENT_BYTES_MAX
from tests.exchange.conftest import Broker

DEADLINE_S = 30.0


@contextmanager
def running(directory: Directory, settings: Settings, ports: Ports) -> Iterator[EmbeddedNats]:
    server = EmbeddedNats(directory, settings, ports)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def publish(url: str, user: str, password: str, data: bytes) -> int:
    client = await nats_client.connect(url, user=user, password=password)
    try:
        stream = client.jetstream()
        await stream.add_stream(name="HP_SEG", subjects=["hp.v1.*.*.seg"])
        return (await stream.publish("hp.v1.acme.dev-1.seg", data)).seq
    finally:
        await client.close()


async def stored(url: str, user: str, password: str) -> bytes | None:
    client = await nats_client.connect(url, user=user, password=password)
    try:
        return (await client.jetstream().get_msg("HP_SEG", 1)).data
    finally:
        await client.close()


def test_what_the_stream_took_outlives_a_killed_broker(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    held = json.loads(directory.nats_secrets.read_bytes())
    login = (held["exchange_user"], held["exchange_password"])
    with running(directory, settings, keep_ports(settings, directory)) as server:
        assert asyncio.run(publish(server.url, *login, b"kept")) == 1
        process = server.process
        assert process is not None
        process.kill()
        process.wait(DEADLINE_S)
        server.start()
        assert asyncio.run(stored(server.url, *login)) == b"kept"


def test_a_message_a_little_above_a_statements_limit_still_arrives(nats: Broker) -> None:
    login = (nats.url, nats.user, nats.password)
    assert asyncio.run(publish(*login, bytes(STATEMENT_BYTES_MAX + 1))) == 1
    with pytest.raises(nats_client.errors.MaxPayloadError):
        asyncio.run(publish(*login, bytes(MESSAGE_BYTES_MAX + 1)))


def test_agents_find_tls_and_nothing_weaker(nats: Broker) -> None:
    context = ssl.create_default_context(cafile=str(nats.ca_file))
    where = (nats.mqtt_host, nats.mqtt_port)
    with (
        socket.create_connection(where, timeout=DEADLINE_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as encrypted,
    ):
        assert encrypted.version() in ("TLSv1.2", "TLSv1.3")
    with socket.create_connection(where, timeout=DEADLINE_S) as plain:
        plain.sendall(bytes.fromhex("101000044d5154540402003c000474657374"))
        assert plain.recv(1)[:1] != b"\x20"


def test_the_configuration_is_its_owners_alone(nats: Broker, exchange_directory: Directory) -> None:
    path = exchange_directory.nats / "nats.conf"
    assert nats.password in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert nats.password not in (exchange_directory.logs / "nats.log").read_text()


def test_a_broker_left_behind_is_ended(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    ports = keep_ports(settings, directory)
    left = EmbeddedNats(directory, settings, ports)
    left.start()
    process = left.process
    assert process is not None
    with running(directory, settings, ports):
        assert process.wait(DEADLINE_S) is not None


def test_a_renewed_certificate_is_served_after_a_restart(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    ports = keep_ports(settings, directory)
    with running(directory, settings, ports) as server:
        before = ssl.get_server_certificate(("127.0.0.1", ports.mqtt))
        directory.server_certificate.unlink()
        assert renew_certificates(directory, settings, datetime.now(UTC))
        server.stop()
        server.start()
        assert ssl.get_server_certificate(("127.0.0.1", ports.mqtt)) != before


def test_a_broker_that_does_not_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    ports = keep_ports(settings, directory)
    directory.server_key.write_bytes(b"no key")
    with pytest.raises(EnvironmentUnfit, match="the broker does not start"):
        EmbeddedNats(directory, settings, ports).start()


def test_a_missing_broker_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentUnfit, match="nats-server is missing: install"):
        nats_program()
