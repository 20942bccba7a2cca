"""The embedded NATS server: MQTT over TLS for agents, a loopback listener for the exchange.

Three accounts: ``HP`` has JetStream and everything that agents and intake say to each other;
``AUTH`` holds the auth-callout responder alone, which is asked about every other connection;
``SYS`` is the server's own. A static user can't come in by MQTT.
"""

import json
import shutil
import signal
import socket
import ssl
import subprocess
import time

import nkeys

from exchange.directory import Directory, read_secrets
from exchange.embedded.processes import end, end_left_behind, last_words, start_server
from exchange.embedded.programs import nats_program
from exchange.exits import EnvironmentUnfit
from exchange.kept_ports import Ports
from exchange.private_files import write_private
from exchange.settings import Settings
from schemas.limits import STATEMENT_BYTES_MAX

HP_ACCOUNT = "HP"
AUTH_ACCOUNT = "AUTH"
MESSAGE_BYTES_MAX = STATEMENT_BYTES_MAX + 8192
"""A little above a statement's limit, so that what is just too large is refused by intake."""

_PROGRAM = "nats-server"
_CONFIGURATION = "nats.conf"
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGKILL)
_STOP_EACH_S = 10.0
_READY_TIMEOUT_S = 30.0
_LOOK_AGAIN_S = 0.02
_DISK_FULL = b"no space left on device"
_ROOM_BYTES = 64 * 1024 * 1024
_LOG_LOOK_BYTES_MAX = 10_000_000


class EmbeddedNats:
    """One server over ``directory.nats``; ``start`` from the main thread, then ``stop``."""

    name = "nats"

    def __init__(self, directory: Directory, settings: Settings, ports: Ports) -> None:
        self._directory = directory
        self._settings = settings
        self._ports = ports
        self._log = directory.logs / "nats.log"
        self._read_to = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """End a server of an earlier start, write the configuration, start, wait until it answers.

        Raises ``EnvironmentUnfit`` with a sentence when that is not possible.
        """
        end_left_behind_nats(self._directory)
        write_private(self._directory.nats / _CONFIGURATION, self._configuration().encode())
        logged_before = self._log.stat().st_size if self._log.exists() else 0
        self._process = start_server(
            nats_program(),
            ["-c", _CONFIGURATION],
            folder=self._directory.nats,
            log=self._log,
            end_signal=signal.SIGTERM,
        )
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                signs = ("[FTL]", "[ERR]", "nats-server: ")
                told = last_words(self._log, logged_before, signs)
                raise EnvironmentUnfit(f"the broker does not start: {told}")
            time.sleep(_LOOK_AGAIN_S)
        self._read_to = logged_before

    def stop(self) -> None:
        """Stop cleanly: what the streams hold is on disk."""
        if self._process is not None:
            end(self._process, _STOP_SIGNALS, _STOP_EACH_S)
            self._process = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running server, None before ``start`` and after ``stop``."""
        return self._process

    @property
    def url(self) -> str:
        """URL of the exchange's own listener."""
        return f"nats://127.0.0.1:{self._ports.nats}"

    def keep_reachable(self) -> None:
        """Start it anew once there is room again after a full disk.

        A stream that could not write takes nothing more for as long as the server runs, and only
        its log says so, again for every message.
        """
        if self._process is not None and self._has_room() and self._said_disk_full():
            self.stop()
            self.start()

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._directory.nats).free >= _ROOM_BYTES

    def _said_disk_full(self) -> bool:
        """Whether its log says so in what was added since the last look."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._read_to)
                added = log.read(_LOG_LOOK_BYTES_MAX)
        except OSError:  # somebody has put the log away
            return False
        self._read_to += len(added)
        return _DISK_FULL in added

    def _answers(self) -> bool:
        """Whether both listeners are up: the broker greets, and its TLS handshake is ours."""
        context = ssl.create_default_context(cafile=str(self._directory.ca_certificate))
        try:
            with socket.create_connection(("127.0.0.1", self._ports.nats), timeout=5) as plain:
                if not plain.recv(4096).startswith(b"INFO "):
                    return False
            where = (_reachable(self._settings.mqtt_host), self._ports.mqtt)
            with (
                socket.create_connection(where, timeout=5) as raw,
                context.wrap_socket(raw, server_hostname="localhost"),
            ):
                return True
        except OSError:
            return False

    def _configuration(self) -> str:
        held = read_secrets(self._directory.nats_secrets)
        return configuration(
            directory=self._directory,
            settings=self._settings,
            ports=self._ports,
            secrets=held,
            issuer=issuer_public(held["issuer_seed"]),
        )


def end_left_behind_nats(directory: Directory) -> None:
    """End the broker that an earlier, killed start left in the directory."""
    end_left_behind(directory.nats, _PROGRAM, _STOP_SIGNALS)


def issuer_public(seed: str) -> str:
    """The public nkey (``A…``) of the auth-callout issuer."""
    return str(nkeys.from_seed(seed.encode()).public_key.decode())


def configuration(
    *,
    directory: Directory,
    settings: Settings,
    ports: Ports,
    secrets: dict[str, str],
    issuer: str,
) -> str:
    """The server's configuration file: JSON, which NATS reads as its own format."""
    return json.dumps(
        {
            "server_name": "haulproof",
            "logtime_utc": True,
            "host": "127.0.0.1",
            "port": ports.nats,
            "max_payload": MESSAGE_BYTES_MAX,
            "max_connections": 65_536,
            "jetstream": {
                "store_dir": ".",
                "max_file_store": 2 * settings.stream_bytes_max,
                "max_memory_store": 67_108_864,
                "sync_interval": "10s",
            },
            "mqtt": {
                "host": settings.mqtt_host,
                "port": ports.mqtt,
                "tls": {
                    "cert_file": str(directory.server_certificate),
                    "key_file": str(directory.server_key),
                    "timeout": 10,
                },
            },
            **accounts(secrets, issuer),
        },
        indent=1,
    )


def accounts(secrets: dict[str, str], issuer: str) -> dict[str, object]:
    """The part of a configuration by which the exchange decides who a device is."""
    return {
        "accounts": {
            HP_ACCOUNT: {"jetstream": "enabled", "users": [_user(secrets, "exchange")]},
            AUTH_ACCOUNT: {"users": [_user(secrets, "callout")]},
            "SYS": {},
        },
        "system_account": "SYS",
        "authorization": {
            "timeout": 10,
            "auth_callout": {
                "issuer": issuer,
                "account": AUTH_ACCOUNT,
                "auth_users": [secrets["exchange_user"], secrets["callout_user"]],
            },
        },
    }


def _user(secrets: dict[str, str], who: str) -> dict[str, object]:
    return {
        "user": secrets[f"{who}_user"],
        "password": secrets[f"{who}_password"],
        "allowed_connection_types": ["STANDARD"],
    }


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
