"""A real broker for the session, and a small exchange behind it for each test.

``exchange``  a fresh ``FakeExchange`` on the running broker
``agent_dir`` an enrolled agent's folder
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_agent.broker import Broker, make_broker, until_listening
from tests.edge_agent.fake_exchange import FakeExchange


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = make_broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    asyncio.run(until_listening(broker.mqtt_port))
    yield broker
    broker.stop()


@pytest.fixture
def exchange(broker: Broker) -> FakeExchange:
    return FakeExchange.make(broker)


@pytest.fixture
def agent_dir(exchange: FakeExchange, tmp_path: Path) -> Path:
    folder = tmp_path / "truck1"
    exchange.enrolment(folder)
    return folder
