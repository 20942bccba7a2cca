"""The ports of one exchange, kept in its directory so that agents find it again after a restart."""

import json
import socket
from dataclasses import asdict, dataclass

from exchange.directory import Directory
from exchange.exits import EnvironmentUnfit
from exchange.private_files import write_private
from exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports: the API's, the broker's for agents (MQTT) and for the exchange (NATS)."""

    api: int
    mqtt: int
    nats: int


def keep_ports(settings: Settings, directory: Directory) -> Ports:
    """Configured ports, else those kept, else free ones; written down, each free to be taken.

    Raises ``EnvironmentUnfit`` when somebody else listens on one of them.
    """
    kept = read_ports(directory)
    hosts = _hosts(settings)
    told = {"api": settings.api_port, "mqtt": settings.mqtt_port, "nats": settings.nats_port}
    chosen = {name: port or (getattr(kept, name) if kept else 0) for name, port in told.items()}
    probes = []
    try:
        for name, host in hosts.items():
            probe = _bind(name, host, chosen[name])
            probes.append(probe)
            chosen[name] = probe.getsockname()[1]
    finally:
        for probe in probes:
            probe.close()
    ports = Ports(**chosen)
    if ports != kept:
        write_private(directory.ports, (json.dumps(asdict(ports)) + "\n").encode())
    return ports


def read_ports(directory: Directory) -> Ports | None:
    """The kept ports; None before the first start, ``EnvironmentUnfit`` when damaged."""
    if not directory.ports.exists():
        return None
    try:
        held = json.loads(directory.ports.read_bytes())
        return Ports(api=int(held["api"]), mqtt=int(held["mqtt"]), nats=int(held["nats"]))
    except (ValueError, KeyError, TypeError):
        raise EnvironmentUnfit(
            f"{directory.ports} is damaged: bring it back from a backup, or remove it and tell the "
            "agents the new port"
        ) from None


def _hosts(settings: Settings) -> dict[str, str]:
    """Where each is listened on; the broker's are left out when it is not ours."""
    api = {"api": settings.api_host}
    embedded = {"mqtt": settings.mqtt_host, "nats": "127.0.0.1"}
    return api if settings.nats_url or settings.mqtt_url else api | embedded


def _bind(name: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
    except PermissionError:
        probe.close()
        raise EnvironmentUnfit(
            f"no permission to listen on port {port}: set {name}_port to one above 1023"
        ) from None
    except OSError as error:
        probe.close()
        raise EnvironmentUnfit(
            f"{host}:{port} is taken or not of this machine ({error.strerror}): end what listens "
            f"there, or set {name}_host and {name}_port to what is free"
        ) from None
    return probe
