"""The README's commands on servers that are not ours: both brokers, a PostgreSQL with two roles."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from exchange.directory import Directory, open_directory
from exchange.embedded.programs import nats_program
from exchange.settings import Settings
from tests.e2e.by_hand import trip_by_hand
from tests.e2e.shells import Background, in_front, wait_for
from tests.exchange.debian_postgres import DebianPostgres, debian_postgres
from tests.exchange.mosquitto import folder_for_mosquitto, free_port, program

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DEADLINE_S = 30.0
BrokerOf = Callable[[Path, Directory], AbstractContextManager[dict[str, object]]]


@contextmanager
def mosquitto(folder: Path, _directory: Directory) -> Iterator[dict[str, object]]:
    """Debian's, from the folder that the command wrote; the command goes on beside it."""
    told: dict[str, object] = {"mqtt_url": f"mqtts://localhost:{free_port()}"}
    write_settings(folder, told)
    with folder_for_mosquitto() as place:
        command = f"haulproof broker mosquitto {place} --dir ex --config exchange.toml"
        in_front(command, folder)
        server = subprocess.Popen(
            [program(), "-c", place / "mosquitto.conf"], stderr=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: (place / "mosquitto.pid").exists() or None, DEADLINE_S)
            with Background(f"{command} --follow", folder):
                yield told
        finally:
            server.terminate()
            server.wait(DEADLINE_S)


@contextmanager
def nats(folder: Path, directory: Directory) -> Iterator[dict[str, object]]:
    """The example of the docs, with TLS on both listeners, and our auth callout."""
    place, port, mqtt_port = folder / "nats", free_port(), free_port()
    place.mkdir()
    in_front(f"haulproof broker nats {place} --dir ex", folder)
    for name in ("server.pem", "server.key"):
        shutil.copy(directory.tls / name, place)
    text = (EXAMPLES / "nats.conf").read_text()
    for there, here in (
        ("/etc/nats", str(place)),
        ("/var/lib/nats", str(place / "data")),
        ("0.0.0.0:4222", f"127.0.0.1:{port}"),
        ("0.0.0.0:8883", f"127.0.0.1:{mqtt_port}"),
    ):
        assert there in text
        text = text.replace(there, here)
    (place / "nats.conf").write_text(text)
    with (place / "log").open("wb") as log:
        server = subprocess.Popen([nats_program(), "-c", place / "nats.conf"], stderr=log)
    try:
        wait_for(lambda: "Server is ready" in (place / "log").read_text() or None, DEADLINE_S)
        yield {
            "nats_url": f"tls://localhost:{port}",
            "nats_ca_file": str(directory.ca_certificate),
            "nats_callout": True,
            "agents_url": f"mqtts://localhost:{mqtt_port}",
        }
    finally:
        server.terminate()
        server.wait(DEADLINE_S)


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    "broker",
    [
        pytest.param(mosquitto, id="mosquitto"),
        pytest.param(nats, id="nats", marks=pytest.mark.long),
    ],
)
def test_the_commands_of_the_readme_bring_a_verified_trip(tmp_path: Path, broker: BrokerOf) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with debian_postgres(directory) as server, broker(tmp_path, directory) as told:
        told |= {"database_url": server.database_url}
        told |= {"database_migration_url": server.migration_url}
        write_settings(tmp_path, told)
        printed = trip_by_hand(tmp_path, "--config exchange.toml")
        check_roles(server)

    assert printed.startswith("Verified: ")
    assert "7.1" in printed  # kilometres
    assert not directory.postgres.exists()


def write_settings(folder: Path, told: dict[str, object]) -> None:
    lines = [
        f"{name} = {str(value).lower()}" if isinstance(value, bool) else f'{name} = "{value}"'
        for name, value in told.items()
    ]
    (folder / "exchange.toml").write_text("\n".join(lines) + "\n")


def check_roles(server: DebianPostgres) -> None:
    """What the runtime role wrote belongs to the other."""
    with psycopg.connect(server.database_url) as conn:
        owners = conn.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        exposure = conn.execute("SELECT sum(speed_distance_m) FROM exposure").fetchone()
    assert owners == [("haulproof_owner",)]
    assert exposure is not None
    assert exposure[0] == pytest.approx(7_150, rel=0.05)
