"""A witness's folder is made once; keys without state are a loss that is told."""

import sqlite3
import stat
from pathlib import Path

import pytest

from exchange.exits import EnvironmentUnfit, WrongUsage
from haulproof.log.witness.folder import open_folder
from ledger.note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44


def vkeys_of(folder: Path, name: str | None = None) -> list[str]:
    signers, store = open_folder(folder, name)
    store.close()
    return [str(signer.vkey) for signer in signers]


def test_keys_of_both_forms_are_made_once_and_only_their_owner_may_read_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "some" / "w"

    signers, store = open_folder(folder, "witness.example")
    store.close()

    assert [signer.vkey.type for signer in signers] == [COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44]
    assert {signer.vkey.name for signer in signers} == {"witness.example"}
    assert vkeys_of(folder) == vkeys_of(folder, "witness.example") == [str(s.vkey) for s in signers]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}


def test_a_new_witness_needs_a_name_and_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="--name"):
        open_folder(tmp_path / "w", None)
    for wrong in ("two words", "a+b", "x" * 256, ""):
        with pytest.raises(WrongUsage, match="--name is wrong"):
            open_folder(tmp_path / "w", wrong)
    vkeys_of(tmp_path / "w", "a.example")

    with pytest.raises(WrongUsage, match=r"called a\.example for ever"):
        open_folder(tmp_path / "w", "b.example")


def test_keys_without_state_do_not_start(tmp_path: Path) -> None:
    vkeys_of(tmp_path / "w", "a.example")
    for file in (tmp_path / "w").glob("state.db*"):
        file.unlink()

    with pytest.raises(EnvironmentUnfit, match="what this witness has cosigned"):
        open_folder(tmp_path / "w", None)


@pytest.mark.parametrize("made_by", ["truncation", "another program"])
def test_keys_with_an_empty_state_do_not_start(tmp_path: Path, made_by: str) -> None:
    """As with no state: from the empty one, a second history would be cosigned."""
    vkeys_of(tmp_path / "w", "a.example")
    state = tmp_path / "w" / "state.db"
    for file in (tmp_path / "w").glob("state.db*"):
        file.unlink()
    state.touch(0o600)
    if made_by == "another program":
        other = sqlite3.connect(state)
        other.execute("CREATE TABLE something (x)")
        other.close()

    for _ in range(2):
        with pytest.raises(EnvironmentUnfit, match="what this witness has cosigned"):
            open_folder(tmp_path / "w", None)


def test_a_start_that_was_killed_before_the_keys_is_completed(tmp_path: Path) -> None:
    first = vkeys_of(tmp_path / "w", "a.example")
    (tmp_path / "w" / "ml-dsa-44.key").unlink()

    second = vkeys_of(tmp_path / "w")

    assert second[0] == first[0]
    assert second[1] != first[1]


@pytest.mark.parametrize("name", ["ed25519.key", "ml-dsa-44.key", "state.db"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    vkeys_of(tmp_path / "w", "a.example")
    (tmp_path / "w" / name).write_bytes(b"damaged " * 1_000)

    with pytest.raises(EnvironmentUnfit, match=name):
        open_folder(tmp_path / "w", None)


def test_one_key_in_place_of_the_other_is_told(tmp_path: Path) -> None:
    vkeys_of(tmp_path / "w", "a.example")
    (tmp_path / "w" / "ed25519.key").write_bytes((tmp_path / "w" / "ml-dsa-44.key").read_bytes())

    with pytest.raises(EnvironmentUnfit, match=r"ed25519\.key is damaged"):
        open_folder(tmp_path / "w", None)
