"""Ports are kept, so that agents find a restarted exchange."""

import socket
from pathlib import Path

import pytest

from exchange.directory import open_directory
from exchange.exits import EnvironmentUnfit
from exchange.kept_ports import keep_ports, read_ports
from exchange.settings import Settings


def test_ports_are_chosen_once_and_kept(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    assert read_ports(directory) is None
    first = keep_ports(settings, directory)
    assert len({first.api, first.mqtt, first.nats}) == 3
    assert keep_ports(settings, directory) == first == read_ports(directory)


def test_a_configured_port_comes_before_the_kept_one(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    first = keep_ports(settings, directory)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    told = Settings(dir=tmp_path / "ex", api_port=free)
    second = keep_ports(told, directory)
    assert (second.api, second.mqtt) == (free, first.mqtt)


@pytest.mark.parametrize("name", ["api", "mqtt", "nats"])
def test_a_kept_port_that_a_stranger_has_is_told(tmp_path: Path, name: str) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    ports = keep_ports(settings, directory)
    with (
        socket.create_server(("127.0.0.1", getattr(ports, name))),
        pytest.raises(EnvironmentUnfit, match=rf"is taken .* set {name}_host and {name}_port"),
    ):
        keep_ports(settings, directory)
    assert read_ports(directory) == ports


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex", api_host="192.0.2.1")
    with pytest.raises(EnvironmentUnfit, match="taken or not of this machine"):
        keep_ports(settings, open_directory(settings))


def test_an_external_brokers_ports_are_none_of_ours(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex", nats_url="nats://broker.example:4222")
    ports = keep_ports(settings, open_directory(settings))
    assert ports.api
    assert (ports.mqtt, ports.nats) == (0, 0)
