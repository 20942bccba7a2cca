"""Settings: which source wins, and what a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest

from exchange.exits import WrongUsage
from exchange.settings import Settings, load_settings


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "exchange.toml"
    path.write_text(text)
    return path


def test_command_line_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write(tmp_path, 'organisation = "file"\napi_port = 1\nmqtt_port = 1\n')
    monkeypatch.setenv("HAULPROOF_API_PORT", "2")
    monkeypatch.setenv("HAULPROOF_ORGANISATION", "environment")
    loaded = load_settings(config, organisation="line", dir=None)
    assert (loaded.organisation, loaded.api_port, loaded.mqtt_port) == ("line", 2, 1)
    assert loaded.dir == Settings().dir


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("api_prot = 1", "there is no setting api_prot"),
        ("api_port = 70000", "the setting api_port is wrong"),
        ('organisation = "Big Co"', "the setting organisation is wrong"),
        ('origin = "a b"', r"the setting origin is wrong: an origin is like example\.com/log"),
        ("intake_workers = 0", "the setting intake_workers is wrong"),
        (
            'fence_url = "postgresl://me:geheim@db/fence"',
            r"fence_url is wrong: a URL is like [^m]*$",
        ),
        ("api_port =", "is not TOML"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(WrongUsage, match=sentence):
        load_settings(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="check --config"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["database_url", "nats_password"])
def test_a_secret_is_in_no_representation_and_no_error(name: str) -> None:
    told: dict[str, Any] = {name: "geheim"}
    wrong: dict[str, Any] = {name: ["geheim"]}
    assert "geheim" not in repr(load_settings(None, **told))
    with pytest.raises(WrongUsage) as refused:
        load_settings(None, **wrong)
    assert "geheim" not in str(refused.value)


def test_the_fences_password_is_in_no_representation_and_no_error() -> None:
    url = "postgresql://me:geheim@db.example.com/fence"
    assert "geheim" not in repr(load_settings(None, fence_url=url))
    with pytest.raises(WrongUsage, match="a URL is like postgresql://") as refused:
        load_settings(None, fence_url=url.replace("postgresql", "postgresl"))
    assert "geheim" not in str(refused.value)
