"""The embedded PostgreSQL with the real server."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from exchange.directory import Directory, open_directory
from exchange.embedded import postgres_cluster
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.processes import left_behind
from exchange.exits import EnvironmentUnfit
from exchange.settings import Settings

DEADLINE_S = 30.0
START_AND_DIE = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    from exchange.directory import open_directory
    from exchange.embedded.postgres import EmbeddedPostgres
    from exchange.settings import Settings
    server = EmbeddedPostgres(open_directory(Settings(dir=Path(sys.argv[1]))))
    server.start()
    print(server.process.pid, flush=True)
    if "die" in sys.argv:
        os.kill(os.getpid(), 9)
    server.stop()
    """
)


@contextmanager
def running(directory: Directory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def only(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_fresh_database_has_the_migrated_schema(postgres: str) -> None:
    assert only(postgres, "SELECT to_regclass('leaf') IS NOT NULL")


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_commit_survives_a_power_cut(postgres_server: EmbeddedPostgres, name: str) -> None:
    assert only(postgres_server.url, f"SHOW {name}") == "on"


def test_there_is_no_way_in_but_the_socket(postgres_server: EmbeddedPostgres) -> None:
    assert only(postgres_server.url, "SHOW listen_addresses") == ""


def test_the_socket_asks_for_a_password(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url, password="guessed")


def test_the_runtime_role_owns_its_database_and_no_more(postgres_server: EmbeddedPostgres) -> None:
    query = """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        FROM pg_roles WHERE rolname = current_user
        """
    assert only(postgres_server.url, query) is False
    assert only(postgres_server.url, "SELECT current_user") == postgres_cluster.RUNTIME_ROLE


def test_the_server_runs_as_nobody_important(
    postgres_server: EmbeddedPostgres, exchange_directory: Directory
) -> None:
    process = postgres_server.process
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    uids = set(status.partition("Uid:")[2].splitlines()[0].split())
    assert uids == {str(exchange_directory.postgres.stat().st_uid)}
    assert "0" not in uids


def test_data_under_a_long_private_path_needs_no_parents_mode(tmp_path: Path) -> None:
    """Root's server user can't enter the parents; the socket's path is longer than 107 bytes."""
    private = tmp_path / ("x" * 120)
    private.mkdir(mode=0o700)
    directory = open_directory(Settings(dir=private / "ex"))
    modes = {path: path.stat().st_mode for path in (tmp_path, private, directory.root)}
    with running(directory) as server:
        assert only(server.url, "SELECT 1") == 1
        way = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]
        assert way.is_symlink()
        assert stat.S_IMODE(way.parent.stat().st_mode) == 0o700
        way.unlink()
        server.keep_reachable()
        assert only(server.url, "SELECT 1") == 1
    assert not way.is_symlink()
    assert {path: path.stat().st_mode for path in modes} == modes


def test_data_stay_when_the_server_is_started_again(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with running(directory) as server, psycopg.connect(server.migration_url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    owner = directory.postgres.stat().st_uid
    with running(directory) as server:
        assert only(server.migration_url, "SELECT count(*) FROM kept") == 0
    assert directory.postgres.stat().st_uid == owner


def test_the_server_ends_with_its_killed_parent_and_starts_again(tmp_path: Path) -> None:
    root = tmp_path / "ex"
    killed = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(root), "die"], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    directory = Directory(root)
    with running(directory) as server:
        assert only(server.url, "SELECT 1") == 1
    wait_until(lambda: not left_behind(directory.postgres, "postgres"))


def test_a_server_left_behind_is_ended_and_strangers_are_not(tmp_path: Path) -> None:
    mine, other = (open_directory(Settings(dir=tmp_path / name)) for name in ("mine", "other"))
    with running(other) as stranger:
        left = EmbeddedPostgres(mine)
        left.start()
        process = left.process
        assert process is not None
        with running(mine) as server:
            assert process.wait(DEADLINE_S) == 0
            assert only(server.url, "SELECT 1") == 1
        assert only(stranger.url, "SELECT 1") == 1


def test_a_killed_server_starts_again(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with running(directory) as server:
        process = server.process
        assert process is not None
        process.kill()
        process.wait(DEADLINE_S)
        server.start()
        assert only(server.url, "SELECT 1") == 1


def test_a_killed_server_starts_again_while_others_have_its_process_id(tmp_path: Path) -> None:
    """After a power cut a stranger may have it, and until it is waited for, its zombie has it."""
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    left = EmbeddedPostgres(directory)
    left.start()
    process = left.process
    assert process is not None
    process.kill()
    process.wait(DEADLINE_S)
    owner = directory.postgres.stat()
    with subprocess.Popen(
        ["sleep", "60"],
        user=owner.st_uid if os.geteuid() == 0 else None,
        group=owner.st_gid if os.geteuid() == 0 else None,
    ) as stranger:
        try:
            for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
                naming = directory.postgres / name
                _, _, rest = naming.read_text().partition("\n")
                naming.write_text(f"{stranger.pid}\n{rest}")
            with running(directory) as server:
                assert only(server.url, "SELECT 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_first_start_killed_in_initdb_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _killed)
        with pytest.raises(KeyboardInterrupt):
            EmbeddedPostgres(directory).start()
    assert not directory.postgres.exists()
    with running(directory) as server:
        assert only(server.url, "SELECT 1") == 1
    assert [path.name for path in directory.root.glob("postgres*")] == ["postgres"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_cluster_of_another_version_is_told(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with running(directory):
        pass
    (directory.postgres / "PG_VERSION").write_text("17\n")
    with pytest.raises(EnvironmentUnfit, match="was made by PostgreSQL 17"):
        EmbeddedPostgres(directory).start()


def test_a_server_that_does_not_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with running(directory):
        pass
    (directory.postgres / "global" / "pg_control").unlink()
    with pytest.raises(
        EnvironmentUnfit, match=r"PostgreSQL does not start: .*could not open file .*pg_control"
    ):
        EmbeddedPostgres(directory).start()
