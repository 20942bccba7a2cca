"""URLs of brokers, and what agents are told of them."""

import pytest

from exchange.broker_address import BrokerAddress, mqtt_address, nats_address, told_to_agents
from exchange.exits import WrongUsage
from exchange.settings import Settings, load_settings


def test_a_url_names_host_port_and_whether_tls_is_spoken() -> None:
    assert mqtt_address("mqtts://broker.example") == BrokerAddress("broker.example", 8883, True)
    assert mqtt_address("mqtt://[::1]:1884") == BrokerAddress("::1", 1884, False)
    assert nats_address("tls://n.example") == BrokerAddress("n.example", 4222, True)
    assert nats_address("nats://127.0.0.1:5000") == BrokerAddress("127.0.0.1", 5000, False)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mqtt://broker.example", "write mqtts://"),
        ("mqtt://10.0.0.1:1883", "write mqtts://"),
        ("broker.example:8883", "a broker's URL is mqtts://host:port or mqtt://host:port"),
        ("mqtts://broker.example/topic", "a broker's URL is"),
        ("mqtts://me:secret@broker.example", "settings of their own"),
    ],
)
def test_a_url_that_would_not_do_is_told(url: str, told: str) -> None:
    with pytest.raises(WrongUsage, match=told) as refused:
        load_settings(mqtt_url=url)
    assert "secret" not in str(refused.value)


def test_settings_that_do_not_fit_together_are_told() -> None:
    with pytest.raises(WrongUsage, match=r"^nats_url and mqtt_url name two brokers"):
        load_settings(mqtt_url="mqtts://b.example", nats_url="nats://n.example")
    with pytest.raises(WrongUsage, match=r"^database_migration_url needs database_url"):
        load_settings(database_migration_url="postgresql://owner@db.example/haulproof")


def test_agents_are_told_the_broker_that_they_can_reach() -> None:
    own = Settings(mqtt_url="mqtts://inside.example:8884")
    outside = Settings(mqtt_url="mqtt://localhost", agents_url="mqtts://outside.example")
    embedded = Settings(public_host="exchange.example")

    assert told_to_agents(own, 1) == ("inside.example", 8884)
    assert told_to_agents(outside, 1) == ("outside.example", 8883)
    assert told_to_agents(embedded, 8885) == ("exchange.example", 8885)
