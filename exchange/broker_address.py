"""Where a broker is: URLs of the settings, and what agents are told of them."""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

MQTT_PORTS = {"mqtts": 8883, "mqtt": 1883}
NATS_PORTS = {"nats": 4222, "tls": 4222}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Host, TCP port, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool


class BrokerSettings(Protocol):
    """What is read of the exchange's settings."""

    agents_url: str
    mqtt_url: str
    public_host: str | None
    mqtt_host: str
    mqtt_port: int


def told_to_agents(settings: BrokerSettings, kept_port: int) -> tuple[str, int]:
    """Host and port where agents connect; ``kept_port`` is the embedded broker's."""
    url = settings.agents_url or settings.mqtt_url
    if url:
        address = mqtt_address(url)
        return address.host, address.port
    return settings.public_host or settings.mqtt_host, settings.mqtt_port or kept_port


def mqtt_address(url: str) -> BrokerAddress:
    """Of ``mqtts://host[:port]``, or ``mqtt://`` on loopback; ``ValueError`` with a sentence."""
    address = _address(url, MQTT_PORTS, "mqtts")
    if not address.tls and not _is_loopback(address.host):
        raise ValueError(
            "passwords need TLS beyond this machine: write mqtts://, or mqtt:// with a "
            "loopback address"
        )
    return address


def nats_address(url: str) -> BrokerAddress:
    """Of ``nats://host[:port]`` or ``tls://``; ``ValueError`` with a sentence."""
    return _address(url, NATS_PORTS, "tls")


def nats_tls(url: str, ca_file: Path | None) -> ssl.SSLContext | None:
    """How to trust the NATS at a URL; None without TLS."""
    if not nats_address(url).tls:
        return None
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def _address(url: str, ports: dict[str, int], tls: str) -> BrokerAddress:
    parts = urlsplit(url)
    if parts.scheme not in ports or not parts.hostname or parts.path.strip("/") or parts.query:
        names = " or ".join(f"{scheme}://host:port" for scheme in ports)
        raise ValueError(f"a broker's URL is {names}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the user and its password have settings of their own")
    return BrokerAddress(parts.hostname, parts.port or ports[parts.scheme], parts.scheme == tls)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
