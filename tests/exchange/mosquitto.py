"""A real Mosquitto, started from exactly the files that ``haulproof broker mosquitto`` writes."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from exchange.brokers.mosquitto import MosquittoFolder
from exchange.devices.password_file import SALT_BYTES, hashed
from exchange.directory import Directory
from exchange.embedded.addresses import completed
from exchange.settings import Settings

DEADLINE_S = 30.0
_PLACES = (":/usr/sbin", ":/usr/local/sbin")


def program() -> str:
    """Debian puts it where only root's PATH leads; skips the test when there is none."""
    found = shutil.which("mosquitto", path=os.environ["PATH"] + "".join(_PLACES))
    if found is None:
        pytest.skip("no mosquitto: apt install mosquitto")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One server on a folder of its own, with the exchange's user and the devices let in."""

    def __init__(self, folder: Path, directory: Directory, port: int) -> None:
        self.settings = completed(
            Settings(dir=directory.root, mqtt_url=f"mqtts://localhost:{port}"), directory
        )
        self.port = port
        self.ca_file = directory.ca_certificate
        self.files = MosquittoFolder(folder, self.settings, directory)
        self.files.prepare()
        self.files.copy_certificate()
        self.files.write_passwords({})
        self.log = folder / "log"
        self._passwords: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program(), "-c", str(self.files.configuration)], stdout=log, stderr=log
            )
        until(self._answers, lambda: self.log.read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(DEADLINE_S)
            self._process = None

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._process = None

    def let_in(self, user: str) -> str:
        """A device's password, known to the server from when it has read its file again."""
        password = secrets.token_urlsafe(32)
        self._passwords[user] = hashed(password, secrets.token_bytes(SALT_BYTES))
        self.files.write_passwords(self._passwords)
        before = self.log.read_text().count("Reloading config")
        self.read_again()
        until(lambda: self.log.read_text().count("Reloading config") > before)
        return password

    def read_again(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=5) as raw,
                context.wrap_socket(raw, server_hostname="localhost"),
            ):
                return True
        except OSError:
            return False


@contextmanager
def mosquitto_of(directory: Directory) -> Iterator[Mosquitto]:
    """On a folder of its own, until the block ends."""
    program()
    with folder_for_mosquitto() as folder:
        server = Mosquitto(folder, directory, free_port())
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def folder_for_mosquitto() -> Iterator[Path]:
    """Owned by the user that Mosquitto becomes when root starts it."""
    folder = Path(tempfile.mkdtemp(prefix="haulproof-mosquitto-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("mosquitto")
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder)


class MqttDevice:
    """A device's client, subscribed to all that it is sent."""

    def __init__(
        self,
        server: Mosquitto,
        user: str,
        password: str,
        *,
        client_id: str = "",
        hear: tuple[str, ...] | None = None,
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.refused: list[str] = []
        self._ready = threading.Event()
        own = tuple(f"hp/v1/{user}/{kind}" for kind in ("ack", "ref", "cfg"))
        self._topics = own if hear is None else hear
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or user,
            protocol=paho.MQTTv311,
            clean_session=False,
        )
        client.username_pw_set(user, password)
        client.tls_set_context(ssl.create_default_context(cafile=str(server.ca_file)))
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda _client, _data, one: self.heard.append(
            (one.topic, bytes(one.payload))
        )
        client.connect("localhost", server.port)
        client.loop_start()
        self.client = client
        assert self._ready.wait(DEADLINE_S)

    def publish(self, payload: bytes, topic: str) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(DEADLINE_S)

    def close(self) -> None:
        client = self.client
        client.disconnect()
        client.loop_stop()
        client.on_connect = client.on_subscribe = client.on_message = None
        del self.client

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self.refused.append(str(reason))
            self._ready.set()
            return
        client.subscribe([(topic, 1) for topic in self._topics])


def until(holds: Callable[[], object], said: Callable[[], str] = lambda: "") -> None:
    """Wait on a state, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)
