"""``haulproof broker``: what it writes, and what it says when it can't."""

import stat
from pathlib import Path

import pytest

from exchange.cli import main
from exchange.directory import Directory
from tests.exchange.world import World

URL = "mqtts://localhost:8883"


def config(folder: Path, **settings: str) -> str:
    path = folder / "exchange.toml"
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))
    return str(path)


def mosquitto(folder: Path, directory: Directory, **settings: str) -> int:
    words = ["broker", "mosquitto", str(folder), "--dir", str(directory.root)]
    return main([*words, "--config", config(folder.parent, **settings), "--json"])


def test_an_admitted_device_is_in_the_password_file_and_its_password_is_not(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = world.admit("acme", "carrier")
    world.add_device(carrier, "dev-1", "v-1")
    folder = tmp_path / "mosquitto"
    folder.mkdir()

    code = mosquitto(
        folder, world.directory, mqtt_url=URL, database_url=world.settings.database_url
    )

    assert code == 0
    lines = (folder / "passwords").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["exchange", "acme/dev-1"]
    assert all(":$7$101$" in line for line in lines)
    assert f'"configuration": "{folder}/mosquitto.conf", "devices": 1' in capsys.readouterr().out


def test_without_a_database_the_devices_stay_in_the_file(
    exchange_directory: Directory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    (folder / "passwords").write_text("acme/dev-1:$7$101$kept\n")
    away = "postgresql://nobody@127.0.0.1:1/none"

    assert mosquitto(folder, exchange_directory, mqtt_url=URL, database_url=away) == 0

    assert "acme/dev-1:$7$101$kept" in (folder / "passwords").read_text()
    assert "the database does not answer" in capsys.readouterr().err


def test_what_is_missing_is_told(
    exchange_directory: Directory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "nowhere"

    assert mosquitto(folder, exchange_directory) == 2
    assert "set mqtt_url" in capsys.readouterr().err
    assert mosquitto(folder, exchange_directory, mqtt_url=URL) == 2
    assert f"there is no folder {folder}: make it" in capsys.readouterr().err


def test_the_accounts_for_a_nats_are_for_its_reader_alone(
    exchange_directory: Directory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["broker", "nats", str(tmp_path), "--dir", str(exchange_directory.root)])

    written = tmp_path / "haulproof-accounts.conf"
    assert code == 0
    assert str(written) in capsys.readouterr().out
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    text = written.read_text()
    assert "auth_callout" in text
    assert "seed" not in text
