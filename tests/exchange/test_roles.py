"""The exchange's processes: which there are, and when one is started again."""

from exchange.roles import Backoff, role_names
from exchange.settings import Settings


def test_pauses_double_to_a_limit_while_a_process_keeps_ending() -> None:
    backoff = Backoff(first_s=1, most_s=5, steady_s=30)
    failures, pauses = 0, []
    for _ in range(5):
        failures, pause_s = backoff.after(failures, lived_s=0.1)
        pauses.append(pause_s)
    assert pauses == [1, 2, 4, 5, 5]


def test_a_process_that_lived_long_is_forgiven() -> None:
    assert Backoff(first_s=1, steady_s=30).after(7, lived_s=30) == (1, 1)


def test_an_exchange_has_as_many_intake_processes_as_it_is_told() -> None:
    names = [name for name, _ in role_names(Settings(intake_workers=3))]
    assert names == ["broker-auth", "signer", "intake-1", "intake-2", "intake-3", "derive", "api"]


def test_an_external_broker_asks_nobody_here_who_a_device_is() -> None:
    names = [name for name, _ in role_names(Settings(nats_url="nats://broker.example"))]
    assert "broker-auth" not in names


def test_an_external_broker_asks_us_where_it_is_told_to() -> None:
    settings = Settings(nats_url="nats://broker.example", nats_callout=True)
    assert "broker-auth" in [name for name, _ in role_names(settings)]


def test_a_broker_without_a_work_queue_has_a_feeder() -> None:
    names = [name for name, _ in role_names(Settings(mqtt_url="mqtts://broker.example"))]
    assert names == ["signer", "feed", "intake-1", "intake-2", "derive", "api"]
