"""Where the embedded servers are found: settings completed from the exchange's directory."""

from exchange.directory import Directory, read_secrets
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.kept_ports import read_ports
from exchange.settings import Settings


def completed(settings: Settings, directory: Directory) -> Settings:
    """The settings with every address and port; what was configured stays as it is."""
    ports = read_ports(directory)
    found: dict[str, object] = {"dir": directory.root}
    if ports is not None:
        found |= {"api_port": ports.api, "mqtt_port": ports.mqtt, "nats_port": ports.nats}
    if not settings.database_url:
        found["database_url"] = EmbeddedPostgres(directory).url
    if settings.answers_callout and ports is not None:
        held = read_secrets(directory.nats_secrets)
        found |= {
            "nats_url": settings.nats_url or f"nats://127.0.0.1:{ports.nats}",
            "nats_user": held["exchange_user"],
            "nats_password": held["exchange_password"],
        }
    if settings.mqtt_url and not settings.mqtt_password:
        found["mqtt_password"] = read_secrets(directory.nats_secrets)["exchange_password"]
    return settings.model_copy(update=found)
