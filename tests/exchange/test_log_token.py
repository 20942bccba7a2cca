"""The log's Ed25519 key in a real token (SoftHSM2): made once, signs there, told when away."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exchange.directory import Directory, open_directory
from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.log_keys import TokenPlace, open_log_keys
from exchange.settings import Settings, load_settings
from exchange.transparency.signer import LogSigner
from ledger.checkpoint import TreeHead, open_checkpoint, sign_checkpoint
from ledger.fence import FileFence
from ledger.note import VKey

_PIN, _OFFICERS_PIN = "1234", "5678"
_LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")


def _library() -> Path:
    found = [Path(path) for path in _LIBRARIES if Path(path).exists()]
    if not found or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM2 (Debian, Ubuntu: apt install softhsm2)")
    return found[0]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The library over a folder of tokens of this module's own, which it reads when it starts."""
    library = _library()
    folder = tmp_path_factory.mktemp("tokens")
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        pkcs11 = pytest.importorskip("pkcs11")
        made = pkcs11.lib(str(library))
        made.reinitialize()
        yield made


@pytest.fixture
def place(tokens: Any, tmp_path: Path) -> TokenPlace:
    """A new token."""
    name = f"logs-{secrets.token_hex(4)}"
    pins = ["--pin", _PIN, "--so-pin", _OFFICERS_PIN]
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", name, *pins],
        check=True,
        capture_output=True,
        timeout=60,
    )
    tokens.reinitialize()
    pin_file = tmp_path / "pin"
    pin_file.write_text(f"{_PIN}\n")
    pin_file.chmod(0o600)
    return TokenPlace(_library(), name, "haulproof-log", pin_file)


def settings_of(root: Path, place: TokenPlace, **more: Any) -> Settings:
    told: dict[str, Any] = {
        "log_token_module": place.module,
        "log_token": place.token,
        "log_token_pin_file": place.pin_file,
        **more,
    }
    return Settings(dir=root, **told)


@pytest.fixture
def settings(tmp_path: Path, place: TokenPlace) -> Settings:
    return settings_of(tmp_path / "ex", place)


def signed(directory: Directory, settings: Settings) -> bytes:
    key = open_log_keys(directory, settings.token_place).ed25519
    return sign_checkpoint(TreeHead(key.vkey.name, 3, bytes(32)), key)


def test_the_key_is_made_in_the_token_once_and_in_no_file(settings: Settings) -> None:
    directory = open_directory(settings)
    again = open_directory(settings)

    assert not directory.log_key.exists()
    assert again.log_vkey() == directory.log_vkey()
    note = signed(directory, settings)
    assert open_checkpoint(note, VKey.parse(directory.log_vkey())).head.size == 3


def test_the_key_cannot_be_read_out_of_the_token(
    settings: Settings, tokens: Any, place: TokenPlace
) -> None:
    from pkcs11 import Attribute, AttributeSensitive, ObjectClass

    open_directory(settings)
    with tokens.get_token(token_label=place.token).open(user_pin=_PIN) as session:
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=place.key)
        assert not key[Attribute.EXTRACTABLE]
        with pytest.raises(AttributeSensitive):
            key[Attribute.VALUE]


def test_a_key_that_was_in_the_token_before_is_taken(
    settings: Settings, place: TokenPlace, tmp_path: Path
) -> None:
    first = open_directory(settings)
    second = open_directory(settings_of(tmp_path / "second", place, origin="log.example/second"))

    vkeys = [VKey.parse(one.log_vkey()) for one in (first, second)]
    assert vkeys[0].public == vkeys[1].public
    assert vkeys[1].name == "log.example/second"


def test_a_token_without_the_logs_key_is_told_and_gets_no_other(
    settings: Settings, tmp_path: Path
) -> None:
    open_directory(settings)

    with pytest.raises(EnvironmentUnfit, match="has no key named another"):
        open_directory(settings.model_copy(update={"log_token_key": "another"}))


def test_a_log_does_not_move_to_another_key_unnoticed(tmp_path: Path, place: TokenPlace) -> None:
    open_directory(Settings(dir=tmp_path / "file"))
    open_directory(settings_of(tmp_path / "token", place))

    with pytest.raises(
        EnvironmentUnfit, match=r"haulproof-log in the token .* is the key of anoth"
    ):
        open_directory(settings_of(tmp_path / "file", place))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"log_token": "none"}, "the token none cannot be used"),
        ({"log_token_module": Path("/nonexistent.so")}, "check log_token_module"),
    ],
    ids=["no token", "no library"],
)
def test_a_token_that_cannot_be_used_is_told(
    settings: Settings, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(EnvironmentUnfit, match=sentence):
        open_directory(settings.model_copy(update=wrong))


def test_a_wrong_pin_and_one_that_others_can_read_are_told(
    settings: Settings, place: TokenPlace
) -> None:
    place.pin_file.write_text("9999")
    with pytest.raises(EnvironmentUnfit, match="cannot be used"):
        open_directory(settings)
    place.pin_file.chmod(0o644)
    with pytest.raises(EnvironmentUnfit, match="run chmod 600"):
        open_directory(settings)
    place.pin_file.unlink()
    with pytest.raises(EnvironmentUnfit, match="pin"):
        open_directory(settings)


def test_settings_name_a_token_whole_or_not_at_all() -> None:
    with pytest.raises(WrongUsage, match="go together"):
        load_settings(None, log_token_module="/usr/lib/some.so", log_token="logs")


def test_a_signer_whose_token_fails_stops_and_goes_on_when_it_is_back(
    settings: Settings, postgres: str, tokens: Any, place: TokenPlace, tmp_path: Path
) -> None:
    from exchange.log_token import KeyAway
    from exchange.transparency.repository import append_leaves

    directory = open_directory(settings)
    keys = open_log_keys(directory, settings.token_place)
    with psycopg.connect(postgres, autocommit=True) as conn:
        signer = LogSigner(conn, FileFence(tmp_path / "fence"), keys.ed25519, keys.ml_dsa)
        signer.turn()
        with conn.transaction():
            append_leaves(conn, [(1, bytes(32))])

        tokens.reinitialize()  # every session and key of before is gone, as when it was pulled out
        place.pin_file.write_text("9999")
        for _ in range(2):
            with pytest.raises(KeyAway, match="does not sign"):
                signer.turn()
        place.pin_file.write_text(_PIN)

        published = signer.turn()
        assert published is not None
        assert published.size == 1
        assert open_checkpoint(published.note, VKey.parse(directory.log_vkey())).head.size == 1
