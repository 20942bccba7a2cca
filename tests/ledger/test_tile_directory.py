"""A log in a directory: whole files or none, no byte ever changed, readable after every crash."""

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.copying import CopyDamaged, bring_up_to
from ledger.tile_directory import DirectoryBusy, TileConflict, TileDirectory, writing
from ledger.verified_tree import LogForked, LogUnsound, NotPublished
from tests.ledger.made_log import MadeLog
from tests.ledger.second_recheck import from_directory, recheck


def copy(log: MadeLog, size: int, root: Path) -> int:
    """Publish that many leaves and bring the copy up to them."""
    return copy_of(log, root, log.publish(size))


def copy_of(log: MadeLog, root: Path, seen: Checkpoint) -> int:
    with writing(root) as directory:
        return bring_up_to(directory, log, seen, known_to(directory, log), lambda _: None)


def known_to(directory: TileDirectory, log: MadeLog) -> Checkpoint | None:
    try:
        return open_checkpoint(directory.checkpoint(), log.signer.vkey)
    except NotPublished:
        return None


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.relative_to(root).parts[0].startswith(".")
    }


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, 65_536 + 3])
def test_a_copy_passes_the_recheck_by_the_second_implementation(size: int, tmp_path: Path) -> None:
    log = MadeLog()

    assert copy(log, size, tmp_path / "log") == size

    assert recheck(from_directory(tmp_path / "log"), log.vkey) == size
    assert files_of(tmp_path / "log") == log.files


def test_a_copy_that_grows_is_what_a_copy_in_one_go_is(tmp_path: Path) -> None:
    log = MadeLog()
    for size in (3, 3, 200, 256, 300, 1_000, 1_300):
        copy(log, size, tmp_path / "log")
        assert recheck(from_directory(tmp_path / "log"), log.vkey) == size
    copy(log, 1_300, tmp_path / "again")

    for path, data in files_of(tmp_path / "again").items():
        assert (tmp_path / "log" / path).read_bytes() == data


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    log = MadeLog()
    copy(log, 1_000, tmp_path)
    log.publish(1_100)
    log.asked.clear()

    assert copy(log, 1_100, tmp_path) == 100

    assert not {path for path in log.asked if path in ("tile/0/000", "tile/entries/000")}


def test_partial_tiles_stay_while_the_last_checkpoint_but_one_needs_them(tmp_path: Path) -> None:
    log = MadeLog()
    copy(log, 200, tmp_path)
    copy(log, 300, tmp_path)
    assert (tmp_path / "tile/0/000.p/200").is_file()
    assert (tmp_path / "tile/entries/000.p/200").is_file()

    copy(log, 310, tmp_path)

    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert (tmp_path / "tile/0/001.p/44").is_file()
    assert (tmp_path / "tile/1/000.p/1").is_file()
    assert recheck(from_directory(tmp_path), log.vkey) == 310


def test_a_damaged_note_of_the_checkpoint_before_removes_nothing(tmp_path: Path) -> None:
    log = MadeLog()
    copy(log, 200, tmp_path)
    copy(log, 300, tmp_path)
    (tmp_path / "checkpoint.previous").write_bytes(b"?")

    copy(log, 310, tmp_path)

    assert (tmp_path / "tile/0/000.p/200").is_file()
    assert recheck(from_directory(tmp_path), log.vkey) == 310


def test_a_path_has_one_content_before_it_has_its_name(tmp_path: Path) -> None:
    with writing(tmp_path) as directory:
        directory.keep_tile(0, 0, bytes(32))
        directory.keep_tile(0, 0, bytes(32))
        with pytest.raises(TileConflict):
            directory.keep_tile(0, 0, b"x" * 32)


def test_what_a_killed_writer_left_aside_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "3").write_bytes(b"half")

    with writing(tmp_path):
        assert list((tmp_path / ".unfinished").iterdir()) == []


def test_a_file_with_other_bytes_is_never_overwritten(tmp_path: Path) -> None:
    log = MadeLog()
    place = tmp_path / "tile/0/001.p/44"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"somebody's")

    with pytest.raises(TileConflict) as conflict:
        copy(log, 300, tmp_path)

    assert conflict.value.place == place
    assert place.read_bytes() == b"somebody's"
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/000"])
def test_a_file_of_the_copy_that_was_damaged_is_named(path: str, tmp_path: Path) -> None:
    log = MadeLog()
    seen = log.publish(700)
    log.write_to(tmp_path)
    (tmp_path / "checkpoint").unlink()
    damaged = tmp_path / path
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")

    with pytest.raises(CopyDamaged, match=f"{path} is not what"):
        copy_of(log, tmp_path, seen)

    damaged.unlink()
    assert copy_of(log, tmp_path, seen) == 700
    assert recheck(from_directory(tmp_path), log.vkey) == 700


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/001"])
def test_what_the_checkpoint_does_not_cover_is_not_written(path: str, tmp_path: Path) -> None:
    log = MadeLog()
    copy(log, 100, tmp_path)
    seen = log.publish(700)
    before = files_of(tmp_path)
    log.files[path] = log.files[path][:-1] + b"\0"

    with pytest.raises(LogUnsound):
        copy_of(log, tmp_path, seen)

    written = {name: data for name, data in files_of(tmp_path).items() if name not in before}
    assert path not in written
    assert (tmp_path / "checkpoint").read_bytes() == before["checkpoint"]
    assert recheck(from_directory(tmp_path), log.vkey) == 100


def test_a_fork_is_not_copied(tmp_path: Path) -> None:
    log = MadeLog()
    copy(log, 300, tmp_path)
    before = files_of(tmp_path)
    other = log.forked_at(200)

    with pytest.raises(LogForked):
        copy(other, 400, tmp_path)

    assert files_of(tmp_path) == before


def test_an_older_checkpoint_does_not_set_the_copy_back(tmp_path: Path) -> None:
    log = MadeLog()
    older = log.publish(100)
    copy(log, 300, tmp_path)
    before = files_of(tmp_path)

    assert copy_of(log, tmp_path, older) == 0

    assert files_of(tmp_path) == before


def test_a_directory_has_one_writer(tmp_path: Path) -> None:
    with writing(tmp_path), pytest.raises(DirectoryBusy), writing(tmp_path):
        pass
    with writing(tmp_path):
        pass


def test_a_folder_in_the_way_is_nothing_published(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()

    with pytest.raises(NotPublished):
        TileDirectory(tmp_path).checkpoint()
    with pytest.raises(NotPublished):
        TileDirectory(tmp_path / "absent").tile(0, 0, 1)


@pytest.mark.parametrize("done", [False, True], ids=["failed", "done, answer lost"])
@pytest.mark.parametrize("call", ["rename", "fsync", "mkdir"])
def test_the_same_writer_goes_on_after_a_failure(
    call: str, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MadeLog()
    seen = log.publish(700)
    with writing(tmp_path) as directory:
        for at in range(1, 8):
            planted = _Planted(at, done)
            with monkeypatch.context() as patched, suppress(_Crash):
                patched.setattr(os, call, planted.over(getattr(os, call)))
                bring_up_to(directory, log, seen, known_to(directory, log), lambda _: None)
        bring_up_to(directory, log, seen, known_to(directory, log), lambda _: None)

    assert recheck(from_directory(tmp_path), log.vkey) == 700


class _Crash(OSError):
    """The process ends here, or the disk does."""


@pytest.mark.parametrize("call", ["rename", "fsync", "mkdir", "unlink"])
@pytest.mark.parametrize("done", [False, True], ids=["failed", "done, answer lost"])
def test_after_a_failure_anywhere_the_copy_is_whole_and_goes_on(
    call: str, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail the first such call, then the second, … until the copy is made without any failing."""
    log = MadeLog()
    checkpoints = [log.publish(size) for size in (200, 300, 310)]
    failures = 0
    for at in count(1):
        root, planted = tmp_path / str(at), _Planted(at, done)
        for checkpoint in checkpoints:
            with monkeypatch.context() as patched:
                patched.setattr(os, call, planted.over(getattr(os, call)))
                try:
                    copy_of(log, root, checkpoint)
                except _Crash:
                    failures += 1
            _check(root, log)
            copy_of(log, root, checkpoint)
            assert recheck(from_directory(root), log.vkey) == checkpoint.head.size
        if not planted.reached:
            break
    assert failures >= 2


class _Planted:
    """Fails the n-th call of a function, once, before or after it does its work."""

    def __init__(self, at: int, done: bool) -> None:
        self._at = at
        self._done = done
        self._calls = 0

    @property
    def reached(self) -> bool:
        return self._calls >= self._at

    def over(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._calls += 1
            if self._calls != self._at:
                return real(*arguments, **options)
            if self._done:
                real(*arguments, **options)
            raise _Crash(5, "planted")

        return call


def _check(root: Path, log: MadeLog) -> None:
    """What a reader finds is a whole log: the one before the failure, or the one after."""
    if (root / "checkpoint").exists():
        recheck(from_directory(root), log.vkey)
