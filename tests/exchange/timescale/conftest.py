"""A real TimescaleDB: WebAssembly served on loopback, in memory, one connection's work at a time.

COPY over the wire crashes it, so what is tested on it is schema, migrations, INSERT and queries.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exchange.store.migration import migrate
from tests.exchange.mosquitto import free_port
from tests.exchange.store.test_migration import Store

_NODE = Path(__file__).parents[3] / ".node"


@pytest.fixture(scope="session")
def timescale_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not (_NODE / "made-from").exists():
        pytest.skip("no TimescaleDB: install node and npm, then sh .ci/node")
    shutil.copy(Path(__file__).with_name("serve.mjs"), _NODE)
    port = free_port()
    server = subprocess.Popen(
        [node, _NODE / "serve.mjs", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == b"ready\n"
        url = f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute("CREATE EXTENSION timescaledb")
            superuser.execute("CREATE ROLE haulproof_runtime")
        migrate(Store(url))
        yield url
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait(30)


@pytest.fixture
def timescale(timescale_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(timescale_url, autocommit=True) as conn:
        yield conn
