"""An exchange whose servers stay up while single processes of it are killed.

Directory, PostgreSQL and NATS are those that ``haulproof up`` makes; the roles are started here one
by one, so that a test knows which process it kills and when it is back.
"""

import json
import shutil
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psycopg

from edge_agent.enrolment import enrol, read_key, write_private
from exchange.directory import Directory, open_directory, read_secrets
from exchange.embedded.addresses import completed
from exchange.embedded.nats import EmbeddedNats
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.kept_ports import keep_ports
from exchange.one_time_secrets import new_secret, secret_hash
from exchange.settings import Settings
from exchange.store.migration import migrate
from exchange.transparency.repository import signer_state
from tests.exchange.intake.trucks import Truck, admit
from tests.faults.parts import PartProcess, wait_until
from tests.faults.published_log import LogReader

CARRIER, VEHICLE = "acme", "v-agent"

_ROLES = ("broker-auth", "signer", "intake", "api")


class Stage:
    """One exchange in a folder; ``close`` ends everything of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        told = Settings(dir=folder / "exchange")
        self.directory: Directory = open_directory(told)
        self.ports = keep_ports(told, self.directory)
        self.postgres = EmbeddedPostgres(self.directory)
        self.nats = EmbeddedNats(self.directory, told, self.ports)
        self._stack.callback(self._stop_servers)
        self.postgres.start()
        self.nats.start()
        self.settings = completed(told, self.directory)
        owner = {"database_migration_url": self.postgres.migration_url}
        migrate(self.settings.model_copy(update=owner))
        self.config = folder / "exchange.toml"
        self.configure()
        self.parts: dict[str, PartProcess] = {}
        self._stack.callback(self._stop_parts)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports.api}"

    def configure(self, **settings: object) -> None:
        """What processes that are started from now on are told."""
        told = {"checkpoint_interval_ms": 20, "batch_age_ms": 20, **settings}
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in told.items()]
        self.config.write_text("".join(lines))

    def start(self, name: str) -> PartProcess:
        """Start a process named by its role (``intake-2``: another), in place of what ended."""
        words = ["--dir", str(self.directory.root), "--config", str(self.config)]
        role = name.removesuffix("-2")
        part = PartProcess(role, words, self.directory.logs / f"{name}.log")
        self.parts[name] = part
        return part

    def open(self) -> None:
        """Start every role and wait for the first checkpoint."""
        for role in _ROLES:
            self.start(role)
        wait_until(self._serves, f"a checkpoint: {self.parts['api'].said()}", 60)

    def reader(self) -> LogReader:
        """A reader of the published log."""
        return LogReader(self.api, self.directory.log_vkey())

    def admit(self, *trucks: Truck) -> None:
        """Let the exchange know the trucks' keys."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as conn:
            admit(conn, *trucks)

    def back_up_database(self, to: Path) -> None:
        """A cold copy of the database's files."""
        self.postgres.stop()
        _copy(self.directory.postgres, to)
        self.postgres.start()

    def restore_database(self, backup: Path) -> None:
        """What was committed since the backup is gone; intake and signer are not running."""
        for role in ("intake", "signer"):
            self.parts[role].stop()
        self.postgres.stop()
        shutil.rmtree(self.directory.postgres)
        _copy(backup, self.directory.postgres)
        self.postgres.start()

    def signer_stopped_with(self) -> str:
        """What the signer has left word of, while it signs nothing."""
        with psycopg.connect(self.settings.database_url) as conn:
            state = signer_state(conn)
        return state.detail if state is not None and state.phase.value == "stopped" else ""

    def enrol_agent(self, folder: Path, device: str, mqtt_port: int | None = None) -> Path:
        """An agent's folder, enrolled, with its device admitted."""
        origin = self.directory.origin or ""
        enrol(folder, CARRIER, device, origin)
        truck = Truck(device, carrier=CARRIER, vehicle=VEHICLE, origin=origin)
        truck.signer = read_key(folder)
        self.admit(truck)
        password = new_secret()
        with psycopg.connect(self.settings.database_url, autocommit=True) as conn:
            conn.execute(
                "UPDATE device SET mqtt_secret_hash = %s WHERE device = %s",
                [secret_hash(password), device],
            )
        document = {
            "mqtt_host": "127.0.0.1",
            "mqtt_port": mqtt_port or self.ports.mqtt,
            "mqtt_username": f"{CARRIER}/{device}",
            "mqtt_password": password,
            "ca_pem": self.directory.ca_certificate.read_text(),
            "log_origin": origin,
            "log_vkey": self.directory.log_vkey(),
            "exchange_keys": [self.directory.exchange_signer().public.cose_key.hex()],
            "ack_interval_s": 0,
            "vehicle": VEHICLE,
        }
        write_private(folder / "enrolment.json", json.dumps(document).encode())
        return folder

    def broker_login(self) -> tuple[str, str, str]:
        """URL, user and password of the exchange's own account."""
        held = read_secrets(self.directory.nats_secrets)
        return self.nats.url, held["exchange_user"], held["exchange_password"]

    def close(self) -> None:
        self._stack.close()

    def _serves(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.api}/log/checkpoint", timeout=10).status_code == httpx.codes.OK
        return False

    def _stop_parts(self) -> None:
        for part in self.parts.values():
            if part.ended() is None:
                part.stop()

    def _stop_servers(self) -> None:
        self.nats.stop()
        self.postgres.stop()


def _copy(folder: Path, to: Path) -> None:
    """With owners and modes, as a backup has them."""
    subprocess.run(["cp", "--archive", str(folder), str(to)], check=True)
