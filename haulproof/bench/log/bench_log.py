"""A database with an exchange's schema and nothing else of an exchange, and a signer when told."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from exchange.directory import Directory, open_directory
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.settings import Settings, load_settings
from exchange.store.database import durability
from exchange.store.migration import migrate
from exchange.transparency.repository import published
from haulproof.bench.limits.committed import bench_url
from haulproof.bench.telling import Telling
from haulproof.demo.processes import PartFailed

_READY_S = 60.0
_END_S = 10.0
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class BenchLog:
    """An empty log in a running PostgreSQL."""

    folder: Path
    directory: Directory
    settings: Settings
    url: str
    """Of the role that the exchange's processes have."""
    superuser_url: str

    def durability(self) -> dict[str, str]:
        """PostgreSQL's settings that decide whether a commit survives a power cut."""
        with psycopg.connect(self.url) as conn:
            return durability(conn)

    @contextmanager
    def signing(self) -> Iterator[None]:
        """The exchange's own signer process, from its first checkpoint on."""
        command = [sys.executable, "-m", "exchange", "signer", "--dir", str(self.directory.root)]
        with (
            (self.folder / "signer.log").open("ab") as output,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            ) as signer,
        ):
            try:
                self._wait_until_signed(signer)
                yield
            finally:
                signer.terminate()
                try:
                    signer.wait(_END_S)
                except subprocess.TimeoutExpired:
                    signer.kill()

    def _wait_until_signed(self, signer: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _READY_S
        with psycopg.connect(self.url, autocommit=True) as conn:
            while published(conn) is None:
                if signer.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "signer.log").read_text().strip().splitlines()
                    raise PartFailed(f"the signer signs nothing: {said[-1] if said else 'silent'}")
                time.sleep(_LOOK_AGAIN_S)


@dataclass(frozen=True, slots=True)
class _Urls:
    database_url: str
    migration_url: str


@contextmanager
def bench_log(telling: Telling) -> Iterator[BenchLog]:
    """Start one in a temporary folder, end it and remove everything."""
    folder = Path(tempfile.mkdtemp(prefix="haulproof-bench-"))
    try:
        telling.step("starting a database with an empty log")
        settings = load_settings(dir=folder / "exchange")
        directory = open_directory(settings)
        server = EmbeddedPostgres(directory)
        server.start()
        try:
            migrate(_Urls(server.url, server.migration_url))
            yield BenchLog(folder, directory, settings, server.url, bench_url(server))
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
