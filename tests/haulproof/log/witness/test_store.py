"""State goes from one head to the next, whole, and for one request at a time."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from haulproof.log.witness.store import StateUnreadable, WitnessStore
from ledger.checkpoint import TreeHead

ORIGIN = "log.example/a"


def head(size: int) -> TreeHead:
    return TreeHead(ORIGIN, size, bytes([size % 256]) * 32)


def last_of(store: WitnessStore) -> TreeHead | None:
    seen: list[TreeHead | None] = []

    def look(last: TreeHead | None) -> tuple[TreeHead, bytes]:
        seen.append(last)
        raise LookupError

    with pytest.raises(LookupError):
        store.advance(ORIGIN, look)
    return seen[0]


def test_what_was_cosigned_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    assert last_of(store) is None
    assert store.note(ORIGIN) is None
    store.advance(ORIGIN, lambda last: (head(3), b"note of 3"))
    store.close()

    again = WitnessStore(tmp_path / "state.db", is_new=False)

    assert last_of(again) == head(3)
    assert again.note(ORIGIN) == b"note of 3"
    assert again.note("log.example/other") is None
    again.close()


def test_a_refusal_changes_nothing(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    store.advance(ORIGIN, lambda last: (head(3), b"note"))

    assert last_of(store) == head(3)
    assert last_of(store) == head(3)
    store.close()


def test_requests_at_once_each_see_what_the_one_before_left(tmp_path: Path) -> None:
    """Two processes' worth of stores on one file."""
    stores = [WitnessStore(tmp_path / "state.db", is_new=True) for _ in range(2)]
    seen: list[int] = []

    def one_more(last: TreeHead | None) -> tuple[TreeHead, bytes]:
        size = 0 if last is None else last.size
        seen.append(size)
        return head(size + 1), b"note"

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: stores[n % 2].advance(ORIGIN, one_more), range(60)))

    assert sorted(seen) == list(range(60))
    assert last_of(stores[0]) == head(60)
    for store in stores:
        store.close()


def test_every_commit_is_synced(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)

    assert store._db.execute("PRAGMA synchronous").fetchone() == (3,)
    store.close()


def test_the_state_is_one_file_from_the_first_head_on(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    store.advance(ORIGIN, lambda last: (head(3), b"note"))

    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
    store.close()


def test_a_file_that_is_no_state_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"something else entirely" * 100)

    with pytest.raises(sqlite3.DatabaseError):
        WitnessStore(tmp_path / "state.db", is_new=True)


def test_a_state_of_another_version_is_not_opened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as other:
        other.execute("PRAGMA user_version = 9")
    other.close()

    with pytest.raises(StateUnreadable, match="another version"):
        WitnessStore(tmp_path / "state.db", is_new=True)
