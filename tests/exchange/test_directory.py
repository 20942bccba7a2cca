"""The exchange's directory: made once, completed after a killed start, never made again."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange.directory import existing_directory, open_directory, renew_certificates
from exchange.exits import EnvironmentUnfit
from exchange.settings import Settings
from ledger.policy import parse_policy

NOW = datetime(2026, 7, 1, tzinfo=UTC)


class Killed(BaseException):
    """Stands for SIGKILL at one step: nothing of ours handles it."""


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_second_start_finds_everything_and_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    first = contents(open_directory(settings).root)
    assert contents(open_directory(settings).root) == first


def test_every_file_and_folder_is_its_owners_alone(tmp_path: Path) -> None:
    os.umask(os.umask(0))
    root = open_directory(Settings(dir=tmp_path / "ex")).root
    for path in (root, *root.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_the_policy_trusts_the_logs_key_and_pins_the_exchanges_key(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex", organisation="hub"))
    policy = parse_policy(directory.policy.read_bytes())
    assert policy.logs == (directory.log_signer().vkey,)
    assert str(policy.logs[0]) == directory.log_vkey()
    assert policy.logs[0].name == directory.origin
    assert policy.quorum is None
    assert policy.pins == {"hp:hub": {directory.exchange_signer().public.thumbprint}}


def test_the_origin_is_made_once_and_holds_no_port(tmp_path: Path) -> None:
    made = [open_directory(Settings(dir=tmp_path / name)).origin for name in ("a", "b", "a")]
    assert made[0] == made[2] != made[1]
    assert all(origin and ":" not in origin for origin in made)


def test_a_configured_origin_is_kept_and_another_one_refused(tmp_path: Path) -> None:
    assert open_directory(Settings(dir=tmp_path, origin="log.example/a")).origin == "log.example/a"
    with pytest.raises(EnvironmentUnfit, match=r"has the origin log\.example/a for ever"):
        open_directory(Settings(dir=tmp_path, origin="log.example/b"))


@pytest.mark.parametrize("step", ["replace", "fsync", "mkdir", "open"])
def test_a_start_killed_at_any_step_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Fail operation 1, complete, fail operation 2, … until a start meets no failure."""
    for killed_at in range(1, 200):
        settings = Settings(dir=tmp_path / f"{step}-{killed_at}")
        with monkeypatch.context() as patched:
            patched.setattr(os, step, _killing_at(getattr(os, step), killed_at))
            try:
                open_directory(settings)
            except Killed:
                half_made = contents(settings.dir) if settings.dir.exists() else {}
            else:
                assert killed_at > 3
                return
        complete = contents(open_directory(settings).root)
        assert {name for name in complete if name.endswith(".unfinished")} == set()
        _assert_kept(half_made, complete)
        assert contents(open_directory(settings).root) == complete
    pytest.fail("the loop never met a start without a failure")


def _assert_kept(half_made: dict[str, bytes], complete: dict[str, bytes]) -> None:
    for name, data in half_made.items():
        if not name.endswith(".unfinished"):
            assert complete[name] == data, f"{name} was made twice"


def _killing_at(operation: Callable[..., Any], count: int) -> Callable[..., Any]:
    calls = 0

    def killing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count:
            raise Killed
        return operation(*arguments, **named)

    return killing


@pytest.mark.parametrize(
    "name", ["log.key", "log-ml-dsa.key", "exchange.key", "postgres.json", "operator.json"]
)
def test_a_lost_secret_is_told_and_not_made_again(tmp_path: Path, name: str) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    (directory.secrets / name).unlink()
    with pytest.raises(EnvironmentUnfit, match=r"is gone: bring it back from a backup"):
        open_directory(Settings(dir=tmp_path / "ex"))


def test_a_directory_of_another_version_is_refused(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    directory.format.write_text("haulproof exchange directory 2\n")
    with pytest.raises(EnvironmentUnfit, match="made by another version"):
        open_directory(Settings(dir=tmp_path / "ex"))
    with pytest.raises(EnvironmentUnfit, match="made by another version"):
        existing_directory(tmp_path / "ex")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(EnvironmentUnfit, match="choose an empty --dir"):
        open_directory(Settings(dir=tmp_path))
    assert contents(tmp_path) == {"letter.txt": b"mine"}


def test_a_directory_that_nobody_made_is_named_with_the_command_that_makes_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(EnvironmentUnfit, match=r"start one with haulproof up --dir"):
        existing_directory(tmp_path / "none")


def test_a_file_where_the_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "ex").write_text("")
    with pytest.raises(EnvironmentUnfit, match="is in the way"):
        open_directory(Settings(dir=tmp_path / "ex"))


def test_certificates_are_renewed_near_their_end_and_the_ca_stays(tmp_path: Path) -> None:
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings, lambda: NOW)
    ca, server = directory.ca_certificate.read_bytes(), directory.server_certificate.read_bytes()
    assert not renew_certificates(directory, settings, NOW + timedelta(days=300))
    assert directory.server_certificate.read_bytes() == server
    assert renew_certificates(directory, settings, NOW + timedelta(days=370))
    assert directory.server_certificate.read_bytes() != server
    assert directory.ca_certificate.read_bytes() == ca


def test_a_new_server_name_makes_a_new_server_certificate(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    named = Settings(dir=tmp_path / "ex", server_names=("ex.example",))
    assert renew_certificates(directory, named, datetime.now(UTC))
    assert not renew_certificates(directory, named, datetime.now(UTC))


SECRETS = (
    "log.key",
    "log-ml-dsa.key",
    "exchange.key",
    "token.key",
    "ca.key",
    "operator.json",
    "nats.json",
)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("damage", [b"", b"\xff{", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_secret_is_told(tmp_path: Path, name: str, damage: bytes) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    (directory.secrets / name).write_bytes(damage)
    with pytest.raises(EnvironmentUnfit, match=rf"{name} is damaged: bring it back"):
        open_directory(Settings(dir=tmp_path / "ex"))


@pytest.mark.parametrize("name", ["log.key", "log-ml-dsa.key"])
def test_another_logs_key_is_told_before_it_signs_anything(tmp_path: Path, name: str) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    other = open_directory(Settings(dir=tmp_path / "other"))
    (directory.secrets / name).write_bytes((other.secrets / name).read_bytes())
    with pytest.raises(EnvironmentUnfit, match="is the key of another log"):
        open_directory(Settings(dir=tmp_path / "ex"))


def test_a_directory_from_before_the_second_key_gets_it_and_keeps_the_rest(tmp_path: Path) -> None:
    directory = open_directory(Settings(dir=tmp_path / "ex"))
    directory.ml_dsa_key.unlink()
    directory.ml_dsa_vkey.unlink()
    before = contents(directory.root)

    again = open_directory(Settings(dir=tmp_path / "ex"))

    assert str(again.ml_dsa_signer().vkey) == again.log_ml_dsa_vkey()
    assert again.ml_dsa_signer().vkey.name == again.origin
    after = contents(directory.root)
    assert {name: after[name] for name in before} == before
