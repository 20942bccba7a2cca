"""Starts everything that one exchange consists of, keeps it running, and ends it in order.

    locked → directory → database → schema → broker → roles → ready ⟲ watched → ended

Start and end are in opposite order: roles end first, so that nobody works on a vanishing database.
Whatever ends by itself is started again, with growing pauses. When we are killed, servers get a
signal from the kernel and roles see their standard input end; what is left all the same is ended
at the next start.
"""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Protocol

import psycopg
from psycopg import conninfo

from exchange.broker_address import mqtt_address, nats_address
from exchange.directory import Directory, claim_directory, open_directory, renew_certificates
from exchange.directory_lock import locked
from exchange.embedded.addresses import completed
from exchange.embedded.nats import EmbeddedNats, end_left_behind_nats
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.exits import EnvironmentUnfit
from exchange.kept_ports import keep_ports
from exchange.readiness import READY
from exchange.roles import Backoff, RoleProcess, role_names
from exchange.settings import Settings
from exchange.store.database import StoreUnfit, check_durability, connect
from exchange.store.migration import migrate

_LOOK_S = 0.2
_READY_TIMEOUT_S = 60.0
_STARTS_BEFORE_READY = 3
_ROLES_END_S = 6.0
_UPKEEP_S = 10.0
_CERTIFICATES_S = 3600.0


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM while starting."""


class EmbeddedServer(Protocol):
    """A server of ours, as the supervisor sees it."""

    name: str

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running server."""

    def start(self) -> None:
        """Start and wait until it answers; ``EnvironmentUnfit`` when it doesn't."""

    def stop(self) -> None:
        """Stop in order."""

    def keep_reachable(self) -> None:
        """Repair what others may have cleaned away."""


@dataclass
class _Again:
    """When something that ended is started again."""

    failures: int
    at_s: float


class Supervisor:
    """One exchange. ``on_step`` hears what is being started, ``on_event`` what ended by itself."""

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        on_step: Callable[[str], None],
        on_event: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._config = config
        self._on_step = on_step
        self._on_event = on_event
        self._backoff = Backoff()
        self._servers: list[EmbeddedServer] = []
        self._roles: list[RoleProcess] = []
        self._again: dict[str, _Again] = {}
        self._stopping = threading.Event()
        self._starting = True

    def run(self, on_ready: Callable[[Directory, Settings], None]) -> None:
        """Start, tell ``on_ready``, keep running until Ctrl-C or SIGTERM, end everything.

        To be called from the main thread. Raises ``EnvironmentUnfit`` with a sentence when it
        can't start, ``Interrupted`` when told to end before it was ready.
        """
        with _signals(self._told_to_end), locked(claim_directory(self._settings)) as lock:
            try:
                directory = self._start(lock)
                self._starting = False
                on_ready(directory, self._settings)
                self._watch(directory)
            finally:
                self._starting = False
                self._end()

    def _told_to_end(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._starting:
            self._starting = False
            raise Interrupted

    def _start(self, lock: int) -> Directory:
        self._on_step("preparing the directory")
        directory = open_directory(self._settings)
        end_left_behind_nats(directory)
        ports = keep_ports(self._settings, directory)
        embedded = self._start_database(directory)
        if not self._settings.nats_url and not self._settings.mqtt_url:
            self._on_step("starting the broker")
            self._start_server(EmbeddedNats(directory, self._settings, ports))
        names = role_names(self._settings)
        self._settings = completed(self._settings, directory)
        self._prepare_database(embedded)
        _check_broker(self._settings)
        self._on_step("starting the exchange's processes")
        for name, role in names:
            process = RoleProcess(name, role, directory, self._config, lock)
            self._roles.append(process)
            process.start()
        self._wait_until_ready()
        return directory

    def _start_database(self, directory: Directory) -> EmbeddedPostgres | None:
        if self._settings.database_url:
            return None
        first = not directory.postgres.exists()
        self._on_step("making the database" if first else "starting the database")
        embedded = EmbeddedPostgres(directory)
        self._start_server(embedded)
        return embedded

    def _start_server(self, server: EmbeddedServer) -> None:
        self._servers.append(server)
        server.start()

    def _prepare_database(self, embedded: EmbeddedPostgres | None) -> None:
        self._on_step("bringing the database up to date")
        try:
            with connect(self._settings) as connection:
                check_durability(connection)
            owner = {} if embedded is None else {"database_migration_url": embedded.migration_url}
            migrate(self._settings.model_copy(update=owner))
        except StoreUnfit as unfit:
            raise EnvironmentUnfit(str(unfit)) from None
        except FileNotFoundError as missing:
            raise EnvironmentUnfit(
                f"{missing.filename} is missing: install haulproof[exchange] again"
            ) from None
        except psycopg.OperationalError as error:
            where = conninfo.conninfo_to_dict(self._settings.database_url).get("host", "localhost")
            reason = str(error).strip().splitlines()[0]
            raise EnvironmentUnfit(
                f"the database at {where} does not answer ({reason}): "
                "start it, or check database_url and database_migration_url"
            ) from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        waiting = list(self._roles)
        while waiting:
            for role in waiting:
                self._check_start(role, time.monotonic() > deadline)
            waiting = [role for role in waiting if role.heard() != READY]
            if waiting:
                self._stopping.wait(_LOOK_S / 4)

    def _check_start(self, role: RoleProcess, too_late: bool) -> None:
        said = role.heard()
        if said not in ("", READY):
            raise EnvironmentUnfit(said)
        if role.ended() is not None:
            role.failures += 1
            if role.failures >= _STARTS_BEFORE_READY:
                raise EnvironmentUnfit(f"{role.name} ends as soon as it starts: see {role.log}")
            role.start()
        elif too_late and said != READY:
            raise EnvironmentUnfit(
                f"{role.name} was not ready within {_READY_TIMEOUT_S:.0f} s: see {role.log}"
            )

    def _watch(self, directory: Directory) -> None:
        upkeep_at = certificates_at = time.monotonic()
        while not self._stopping.wait(_LOOK_S):
            for server in self._servers:
                if server.process is None or server.process.poll() is not None:
                    self._start_server_again(server)
            for role in self._roles:
                if sentence := role.news():
                    self._on_event(f"{role.name}: {sentence}")
                if role.ended() is not None:
                    self._start_role_again(role)
            now = time.monotonic()
            try:
                if now >= upkeep_at:
                    upkeep_at = now + _UPKEEP_S
                    for server in self._servers:
                        server.keep_reachable()
                if now >= certificates_at:
                    certificates_at = now + _CERTIFICATES_S
                    self._renew_certificates(directory)
            except EnvironmentUnfit as unfit:
                self._on_event(str(unfit))

    def _start_server_again(self, server: EmbeddedServer) -> None:
        if not self._is_due(server.name, _code(server.process), lived_s=0.0):
            return
        try:
            server.start()
        except EnvironmentUnfit as unfit:
            self._postpone(server.name, unfit)
            return
        del self._again[server.name]
        self._on_event(f"{server.name} is back")

    def _start_role_again(self, role: RoleProcess) -> None:
        lived_s = time.monotonic() - role.started_at_s
        if not self._is_due(role.name, role.ended(), lived_s, role.failures):
            return
        try:
            role.start()
        except EnvironmentUnfit as unfit:
            self._postpone(role.name, unfit)
            return
        role.failures = self._again.pop(role.name).failures

    def _is_due(self, name: str, code: int | None, lived_s: float, failures: int = 0) -> bool:
        """Whether something that ended is to be started now; plans it when it is seen first."""
        now = time.monotonic()
        again = self._again.get(name)
        if again is None:
            in_a_row, wait_s = self._backoff.after(failures, lived_s)
            self._again[name] = _Again(in_a_row, now + wait_s)
            self._on_event(f"{name} ended ({_how(code)}) and is started again")
            return False
        return now >= again.at_s

    def _postpone(self, name: str, unfit: EnvironmentUnfit) -> None:
        again = self._again[name]
        again.failures, wait_s = self._backoff.after(again.failures, 0.0)
        again.at_s = time.monotonic() + wait_s
        self._on_event(str(unfit))

    def _renew_certificates(self, directory: Directory) -> None:
        """Once a year; the broker starts anew, since a reload ends connections as well."""
        if not renew_certificates(directory, self._settings, datetime.now(UTC)):
            return
        for server in self._servers:
            if isinstance(server, EmbeddedNats):
                self._on_event("the certificate was renewed; the broker starts with it")
                server.stop()
                server.start()

    def _end(self) -> None:
        for role in self._roles:
            role.ask_to_end()
        deadline = time.monotonic() + _ROLES_END_S
        for role in self._roles:
            role.wait_for_end(deadline)
        for server in reversed(self._servers):
            server.stop()


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, held in before.items():
            signal.signal(number, held)


def _check_broker(settings: Settings) -> None:
    name = "mqtt_url" if settings.mqtt_url else "nats_url"
    at = mqtt_address(settings.mqtt_url) if settings.mqtt_url else nats_address(settings.nats_url)
    try:
        socket.create_connection((at.host, at.port), timeout=5).close()
    except OSError as error:
        raise EnvironmentUnfit(
            f"the broker at {at.host}:{at.port} does not answer ({error.strerror or error}): "
            f"start it, or check {name}"
        ) from None


def _code(process: subprocess.Popen[bytes] | None) -> int | None:
    return None if process is None else process.poll()


def _how(code: int | None) -> str:
    if code is None:
        return "it did not start"
    return f"signal {-code}" if code < 0 else f"exit {code}"
