"""A migrated store, and a worker over it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.intake.worker import Worker
from tests.exchange.intake.trucks import NOW, ORIGIN


@pytest.fixture
def conn(postgres: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def worker(postgres: str) -> Iterator[Worker]:
    made = Worker(lambda: psycopg.connect(postgres), ORIGIN, lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
