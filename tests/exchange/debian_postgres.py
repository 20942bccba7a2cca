"""The PostgreSQL that Debian packages, as a company runs it: TCP, TLS, passwords, its own roles."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from exchange.directory import Directory
from tests.exchange.mosquitto import free_port

ROLES = Path(__file__).parents[2] / "docs" / "examples" / "roles.sql"
DATABASE = "haulproof"
DEADLINE_S = 60.0
_PLACES = "/usr/lib/postgresql"
_SUPERUSER = "postgres"


@dataclass(frozen=True)
class DebianPostgres:
    """One server with the roles of docs/examples/roles.sql."""

    port: int
    ca_file: Path

    def url(
        self,
        role: str,
        *,
        sslmode: str = "verify-full",
        host: str = "localhost",
        database: str = DATABASE,
        **more: str,
    ) -> str:
        password = f"{role.removeprefix('haulproof_')}-password"
        parts = {"sslmode": sslmode, "sslrootcert": str(self.ca_file), **more}
        query = "&".join(f"{name}={value}" for name, value in parts.items())
        return f"postgresql://{role}:{password}@{host}:{self.port}/{database}?{query}"

    @property
    def database_url(self) -> str:
        return self.url("haulproof_runtime")

    @property
    def migration_url(self) -> str:
        return self.url("haulproof_owner")


@contextmanager
def debian_postgres(directory: Directory) -> Iterator[DebianPostgres]:
    """A fresh cluster of the newest installed version, with the exchange's certificate."""
    programs = _programs()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="haulproof-postgres-", dir="/tmp"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    try:
        _run([programs / "initdb", "-D", data, "-U", _SUPERUSER, "-A", "scram-sha-256", "-E",
              "UTF8", "--pwfile", _password_file(folder, user)], user)  # fmt: skip
        _configure(data, directory, user)
        port = free_port()
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), "-k", folder],
                stdout=log,
                stderr=log,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )
        try:
            _make_roles(port, folder / "log")
            yield DebianPostgres(port, directory.ca_certificate)
        finally:
            server.terminate()
            server.wait(DEADLINE_S)
    finally:
        shutil.rmtree(folder)


def superuser_url(port: int, database: str = "postgres") -> str:
    return f"postgresql://{_SUPERUSER}:secret@127.0.0.1:{port}/{database}"


def _programs() -> Path:
    found = sorted(Path(_PLACES).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("no PostgreSQL of Debian's: apt install postgresql")
    return found[-1].parent


def _user() -> pwd.struct_passwd | None:
    """Root can't run it: Debian's own user does."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def _password_file(folder: Path, user: pwd.struct_passwd | None) -> Path:
    return _owned(folder / "password", b"secret\n", user)


def _configure(data: Path, directory: Directory, user: pwd.struct_passwd | None) -> None:
    certificate, key = directory.server_certificate, directory.server_key
    _owned(data / "server.crt", certificate.read_bytes(), user)
    _owned(data / "server.key", key.read_bytes(), user)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("ssl = on\nlisten_addresses = 'localhost'\n")


def _owned(path: Path, content: bytes, user: pwd.struct_passwd | None) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def _make_roles(port: int, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with psycopg.connect(superuser_url(port), autocommit=True) as superuser:
                for statement in ROLES.read_text().split(";\n"):
                    if statement.strip():
                        superuser.execute(statement.encode())
                return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


def _run(command: list[str | Path], user: pwd.struct_passwd | None) -> None:
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd="/",
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else [],
    )
