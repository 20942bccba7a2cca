"""How the API comes up: the exchange's own record once, its own database only, a free port."""

import socket
from pathlib import Path

import psycopg
import pytest

from exchange.api.process import introduce, run
from exchange.directory import Directory, open_directory
from exchange.exits import EnvironmentUnfit
from exchange.settings import Settings
from tests.exchange.world import World


def test_the_own_record_is_committed_once(world: World) -> None:
    for _ in range(3):
        introduce(world.settings, world.directory)
    with world.exchange.connection() as conn:
        assert conn.execute("SELECT size FROM tree_head").fetchone() == (1,)


def test_a_database_of_another_directory_is_not_served(world: World, tmp_path: Path) -> None:
    other = Settings(dir=tmp_path / "other", database_url=world.settings.database_url)
    with pytest.raises(EnvironmentUnfit, match="belong together"):
        introduce(other, open_directory(other))


def test_a_port_in_use_is_told_in_a_sentence(postgres: str, exchange_directory: Directory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(dir=exchange_directory.root, database_url=postgres, api_port=port)
        with pytest.raises(EnvironmentUnfit, match=f"port {port} .*choose another"):
            run(settings)


def test_connections_that_died_with_the_database_are_not_handed_out(world: World) -> None:
    acme = world.admit("acme", "carrier")
    with psycopg.connect(world.settings.database_url, autocommit=True) as conn:
        conn.execute(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )

    assert world.http.get("/v1/orgs/self", headers=acme.headers).status_code == 200
