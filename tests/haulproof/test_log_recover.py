"""``haulproof log recover`` on an exchange's own directory, with its embedded database."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exchange.directory import Directory, open_directory
from exchange.directory_lock import locked
from exchange.embedded.addresses import completed
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.log_keys import open_log_keys
from exchange.settings import Settings
from exchange.store.migration import migrate
from exchange.transparency.repository import append_leaves
from exchange.transparency.signer import LogSigner
from haulproof import __main__ as command
from ledger.fence import FileFence
from ledger.leaf import leaf_entry
from ledger.merkle import EMPTY_ROOT
from ledger.tiles import encode_bundle, entries_path
from schemas.kinds import Kind

LEAVES = [(int(Kind.SEGMENT), bytes([n]) * 32) for n in range(9)]


@pytest.fixture
def rolled_back(tmp_path: Path) -> Directory:
    """An exchange that signed nine leaves and was restored to four of them; nothing runs."""
    settings = Settings(dir=tmp_path / "ex")
    directory = open_directory(settings)
    server = EmbeddedPostgres(directory)
    server.start()
    try:
        owner = {"database_migration_url": server.migration_url}
        migrate(completed(settings, directory).model_copy(update=owner))
        with psycopg.connect(server.url, autocommit=True) as conn:
            key = open_log_keys(directory).ed25519
            with conn.transaction():
                append_leaves(conn, LEAVES)
            LogSigner(conn, FileFence(directory.fence), key).turn()
        with psycopg.connect(server.migration_url, autocommit=True) as conn:
            conn.execute("TRUNCATE leaf, tile, checkpoint CASCADE")
            conn.execute("UPDATE tree_head SET size = 0, root = %s", [EMPTY_ROOT])
            with conn.transaction():
                append_leaves(conn, LEAVES[:4])
    finally:
        server.stop()
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a mirror keeps of the nine leaves."""
    bundle = tmp_path / "copy" / entries_path(0, len(LEAVES))
    bundle.parent.mkdir(parents=True)
    bundle.write_bytes(encode_bundle([leaf_entry(*leaf) for leaf in LEAVES]))
    return tmp_path / "copy"


def recover(
    capsys: pytest.CaptureFixture[str], directory: Directory, *words: str
) -> tuple[int, dict[str, Any], str]:
    code = command.main(["log", "recover", "--dir", str(directory.root), "--json", *words])
    said = capsys.readouterr()
    return code, json.loads(said.out or "{}"), said.err


def test_it_looks_then_puts_back_and_names_what_is_missing(
    capsys: pytest.CaptureFixture[str], rolled_back: Directory, copy: Path, tmp_path: Path
) -> None:
    code, looked, _ = recover(capsys, rolled_back)
    assert (code, looked["state"], looked["lacking"]) == (1, "short", 5)

    code, looked, _ = recover(capsys, rolled_back, "--from", str(copy))
    assert (code, looked["can_be_whole"], looked["put_back"]) == (0, True, 0)
    assert looked["tree_size"] == 4

    missing = tmp_path / "missing.jsonl"
    words = ["--from", str(copy), "--apply", "--missing", str(missing)]
    code, done, _ = recover(capsys, rolled_back, *words)
    assert (code, done["state"], done["put_back"], done["awaited"]) == (0, "whole", 5, 5)
    named = [json.loads(line) for line in missing.read_text().splitlines()]
    assert named[-1] == {"index": 8, "type": "hp-seg", "digest": LEAVES[8][1].hex()}


def test_a_copy_of_something_else_and_one_that_ends_too_early_are_told(
    capsys: pytest.CaptureFixture[str], rolled_back: Directory, copy: Path, tmp_path: Path
) -> None:
    code, _, said = recover(capsys, rolled_back, "--from", str(tmp_path / "nothing"))
    assert code == 1
    assert "the copy has no tile/entries/000.p/9: use one that was made later" in said

    bundle = copy / entries_path(0, 9)
    bundle.write_bytes(encode_bundle([leaf_entry(1, bytes(32))] * 9))
    code, _, said = recover(capsys, rolled_back, "--from", str(copy), "--apply")
    assert code == 1
    assert "do not lead from this database to the root that was signed" in said
    assert said.count("\n") == 1


def test_a_lost_fence_is_set_by_a_note_that_the_log_signed(
    capsys: pytest.CaptureFixture[str], rolled_back: Directory, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    rolled_back.fence.rename(note)

    code, done, _ = recover(capsys, rolled_back, "--set-fence", str(note))

    assert (code, done["fence_set"], done["state"], done["signed_size"]) == (1, True, "short", 9)
    assert rolled_back.fence.read_bytes() == note.read_bytes()
    code, _, said = recover(capsys, rolled_back, "--set-fence", str(note))
    assert code == 1
    assert "the fence holds this checkpoint or a newer one already" in said


def test_a_person_reads_sentences(
    capsys: pytest.CaptureFixture[str], rolled_back: Directory
) -> None:
    assert command.main(["log", "recover", "--dir", str(rolled_back.root)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"Log {rolled_back.origin}: 4 leaves in the database, 9 were signed."
    assert told[1].startswith("5 leaves are missing: give a copy of the published log with --from")


def test_what_is_in_the_way_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as wrong:
        command.main(["log", "recover", "--dir", str(tmp_path / "none"), "--apply"])
    assert wrong.value.code == 2
    assert "--apply needs --from" in capsys.readouterr().err

    assert command.main(["log", "recover", "--dir", str(tmp_path / "none")]) == 3
    assert "is no exchange's directory" in capsys.readouterr().err

    directory = open_directory(Settings(dir=tmp_path / "ex"))
    with locked(directory):
        assert command.main(["log", "recover", "--dir", str(directory.root)]) == 3
    assert "already serves" in capsys.readouterr().err


def test_a_wrong_word_and_a_wrong_file_are_told(
    capsys: pytest.CaptureFixture[str], rolled_back: Directory, tmp_path: Path
) -> None:
    assert command.main(["log", "recoil"]) == 2
    assert "there is no haulproof log recoil" in capsys.readouterr().err

    code, _, said = recover(capsys, rolled_back, "--set-fence", str(tmp_path / "none"))
    assert code == 2
    assert "cannot be read: no such file" in said
