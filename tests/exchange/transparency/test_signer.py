"""The signer publishes one history, whatever fails between proof and publication."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from psycopg import Connection

from exchange.log_keys import LogKeys
from exchange.transparency import repository as log
from exchange.transparency import signer as signing
from exchange.transparency.model import LogDamaged, Published, SignerPhase
from exchange.transparency.newest import newest_by_both_keys
from exchange.transparency.signer import FenceRolledBack, LogSigner
from ledger.checkpoint import open_checkpoint, unverified_head
from ledger.cosignature import MLDSA44Cosigner, verify_cosignature
from ledger.fence import FenceMoved, FenceUncertain, FileFence
from ledger.merkle import EMPTY_ROOT, consistency_proof, verify_consistency
from ledger.note import Ed25519NoteSigner
from ledger.receipt import sign_root
from ledger.signing import FenceLost, ForkedLog, LogBehindFence, SigningRefused

ORIGIN = "example.org/log"


class Crash(Exception):
    """The process ends here."""


class FailingFence(FileFence):
    """Fails at the next swap, before it happened or after."""

    def __init__(self, path: Path, *, swapped: bool) -> None:
        super().__init__(path)
        self._swapped = swapped

    def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
        if self._swapped:
            super().compare_and_swap(expected, new)
        raise FenceUncertain("the answer was lost")


@pytest.fixture
def key() -> Ed25519NoteSigner:
    return Ed25519NoteSigner(ORIGIN, Ed25519PrivateKey.generate())


@pytest.fixture
def conn(postgres: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def fence_file(tmp_path: Path) -> Path:
    return tmp_path / "fence"


def grow(conn: Connection[Any], count: int, digest: bytes = b"d") -> None:
    with conn.transaction():
        log.append_leaves(conn, [(1, digest * 32)] * count)


def check_history(conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path) -> int:
    """Every published checkpoint is signed and extends the one before; the fence is not behind."""
    notes = [bytes(row[0]) for row in conn.execute("SELECT note FROM checkpoint ORDER BY size")]
    heads = [open_checkpoint(note, key.vkey).head for note in notes]
    for older, newer in pairwise(heads):
        if older.size:
            proof = consistency_proof(log.node_reader(conn, newer.size), older.size, newer.size)
            verify_consistency(older.size, newer.size, proof, older.root, newer.root)
    fenced = FileFence(fence_file).read()
    assert fenced is not None
    assert open_checkpoint(fenced, key.vkey).head.size >= heads[-1].size
    return heads[-1].size


def test_an_empty_log_has_a_checkpoint_and_each_growth_another(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    signer = LogSigner(conn, FileFence(fence_file), key)

    first = signer.turn()
    assert first is not None
    assert (first.size, first.root) == (0, EMPTY_ROOT)
    assert signer.turn() == first
    for count in (1, 300, 7):
        grow(conn, count)
        signer.turn()

    assert check_history(conn, key, fence_file) == 308
    assert conn.execute("SELECT count(*) FROM checkpoint").fetchone() == (4,)


def test_whoever_listens_hears_of_a_checkpoint(
    conn: Connection[Any], postgres: str, key: Ed25519NoteSigner, fence_file: Path
) -> None:
    with psycopg.connect(postgres, autocommit=True) as listener:
        listener.execute("LISTEN hp_checkpoint")
        grow(conn, 3)
        LogSigner(conn, FileFence(fence_file), key).turn()
        heard = [notify.payload for notify in listener.notifies(timeout=10, stop_after=1)]

    assert heard == ["3"]


@pytest.mark.parametrize("swapped", [False, True], ids=["failed", "answer lost"])
def test_a_fence_that_fails_leaves_one_history(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path, swapped: bool
) -> None:
    LogSigner(conn, FileFence(fence_file), key).turn()
    grow(conn, 5)
    with pytest.raises(FenceUncertain):
        LogSigner(conn, FailingFence(fence_file, swapped=swapped), key).turn()
    newest = log.published(conn)
    assert newest is not None
    assert newest.size == 0

    grow(conn, 2)
    LogSigner(conn, FileFence(fence_file), key).turn()

    assert check_history(conn, key, fence_file) == 7
    sizes = [row[0] for row in conn.execute("SELECT size FROM checkpoint ORDER BY size")]
    assert sizes == ([0, 5, 7] if swapped else [0, 7])


@pytest.mark.parametrize("published", [False, True], ids=["failed", "answer lost"])
def test_a_crash_at_publication_leaves_a_note_that_the_restart_publishes(
    conn: Connection[Any],
    key: Ed25519NoteSigner,
    fence_file: Path,
    published: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grow(conn, 5)
    real = LogSigner._publish

    def crash(self: LogSigner, checkpoint: Published) -> Published:
        if published:
            real(self, checkpoint)
        raise Crash

    monkeypatch.setattr(LogSigner, "_publish", crash)
    with pytest.raises(Crash):
        LogSigner(conn, FileFence(fence_file), key).turn()
    monkeypatch.undo()
    fenced = FileFence(fence_file).read()

    again = LogSigner(conn, FileFence(fence_file), key).turn()

    assert again is not None
    assert again.note == fenced
    assert check_history(conn, key, fence_file) == 5


def test_of_two_signers_one_is_told_that_the_fence_moved(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    class Overtaken(FileFence):
        def compare_and_swap(self, expected: bytes | None, new: bytes) -> None:
            LogSigner(conn, FileFence(fence_file), key).turn()
            super().compare_and_swap(expected, new)

    grow(conn, 4)
    with pytest.raises(FenceMoved):
        LogSigner(conn, Overtaken(fence_file), key).turn()

    assert check_history(conn, key, fence_file) == 4


def shown(conn: Connection[Any]) -> bytes:
    """The note by which readers get the newest checkpoint."""
    newest = newest_by_both_keys(conn)
    assert newest is not None
    return newest.note


def test_readers_get_both_signatures_and_trucks_the_short_note(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    second = MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.generate())
    signer = LogSigner(conn, FileFence(fence_file), key, second, lambda: 1_750_000_000.9)
    for count in (3, 4):
        grow(conn, count)
        signer.turn()

    newest = log.published(conn)
    assert newest is not None
    assert newest.size == open_checkpoint(shown(conn), key.vkey, second.vkey).head.size == 7
    assert verify_cosignature(unverified_head(shown(conn))[1], second.vkey) == 1_750_000_000
    assert shown(conn).startswith(newest.note)
    assert len(newest.note) < 300
    assert FileFence(fence_file).read() == newest.note


def test_a_log_from_before_the_second_key_shows_both_signatures_at_its_next_start(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    grow(conn, 3)
    before = LogSigner(conn, FileFence(fence_file), key).turn()
    assert before is not None
    assert shown(conn) == before.note

    second = MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.generate())
    LogSigner(conn, FileFence(fence_file), key, second).turn()

    assert open_checkpoint(shown(conn), second.vkey).head.size == 3
    assert log.published(conn) == before


def test_what_the_fence_refuses_is_not_signed_by_the_second_key_either(
    conn: Connection[Any], owner: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    second = MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.generate())
    signer = LogSigner(conn, FileFence(fence_file), key, second)
    grow(conn, 3)
    signer.turn()
    before = shown(conn)

    truncate(owner)
    grow(conn, 5, b"x")
    with pytest.raises(ForkedLog):
        signer.turn()

    assert conn.execute("SELECT note FROM newest_note").fetchall() == [(before,)]


def receipt_signatures(conn: Connection[Any]) -> dict[int, bytes]:
    rows = conn.execute("SELECT size, signature FROM receipt_signature ORDER BY size")
    return {size: bytes(signature) for size, signature in rows}


def test_receipts_are_signed_for_each_checkpoint_and_for_no_other_root(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    signer = LogSigner(conn, FileFence(fence_file), key)
    signer.turn()
    for count in (4, 300):
        grow(conn, count)
        signer.turn()

    notes = {
        size: open_checkpoint(bytes(note), key.vkey).head
        for size, note in conn.execute("SELECT size, note FROM checkpoint")
    }
    assert receipt_signatures(conn) == {
        size: sign_root(head, key) for size, head in sorted(notes.items())
    }


@pytest.mark.parametrize("swapped", [False, True], ids=["failed", "answer lost"])
def test_no_receipt_is_signed_before_the_fence_holds_the_checkpoint(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path, swapped: bool
) -> None:
    asked: list[bytes] = []

    class Watched(Ed25519NoteSigner):
        def sign(self, text: bytes) -> bytes:
            asked.append(text)
            return super().sign(text)

    private = Ed25519PrivateKey.generate()
    watched = Watched(ORIGIN, private)
    grow(conn, 5)
    with pytest.raises(FenceUncertain):
        LogSigner(conn, FailingFence(fence_file, swapped=swapped), watched).turn()

    assert len(asked) == 1
    assert asked[0].startswith(ORIGIN.encode())
    assert receipt_signatures(conn) == {}
    LogSigner(conn, FileFence(fence_file), watched).turn()
    assert list(receipt_signatures(conn)) == [5]


def truncate(owner: Connection[Any]) -> None:
    """What a database restored from nothing looks like; its history went with it."""
    owner.execute("TRUNCATE leaf, tile, checkpoint CASCADE")
    owner.execute("UPDATE tree_head SET size = 0, root = %s", [EMPTY_ROOT])


def replace_fence(fence_file: Path, note: bytes | None) -> None:
    fence_file.unlink()
    if note is not None:
        fence_file.write_bytes(note)


def test_a_shorter_or_forked_tree_is_not_signed(
    conn: Connection[Any], owner: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    signer = LogSigner(conn, FileFence(fence_file), key)
    grow(conn, 10)
    signer.turn()
    fenced = FileFence(fence_file).read()

    truncate(owner)
    grow(conn, 4)
    with pytest.raises(LogBehindFence, match="refills the missing leaves"):
        signer.turn()
    grow(conn, 6, b"x")
    with pytest.raises(ForkedLog):
        signer.turn()
    grow(conn, 5)
    with pytest.raises(ForkedLog):
        signer.turn()

    assert log.published(conn) is None
    assert FileFence(fence_file).read() == fenced


def test_a_lost_foreign_or_older_fence_is_not_signed_over(
    conn: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    signer = LogSigner(conn, FileFence(fence_file), key)
    grow(conn, 3)
    signer.turn()
    older = FileFence(fence_file).read()
    grow(conn, 3)
    signer.turn()

    replace_fence(fence_file, older)
    with pytest.raises(FenceRolledBack, match="rolled back"):
        signer.turn()
    replace_fence(fence_file, b"scribble")
    with pytest.raises(SigningRefused, match="holds no checkpoint"):
        signer.turn()
    replace_fence(fence_file, None)
    with pytest.raises(FenceLost):
        signer.turn()


def test_a_head_that_its_tiles_do_not_bear_out_is_not_signed(
    conn: Connection[Any], owner: Connection[Any], key: Ed25519NoteSigner, fence_file: Path
) -> None:
    signer = LogSigner(conn, FileFence(fence_file), key)
    grow(conn, 3)
    signer.turn()
    grow(conn, 3)
    conn.execute("UPDATE tree_head SET root = sha256('other')")
    with pytest.raises(ForkedLog):
        signer.turn()
    owner.execute("DELETE FROM tile")
    with pytest.raises(LogDamaged):
        signer.turn()


def test_the_operator_sees_that_nothing_is_signed_and_that_it_goes_on(
    conn: Connection[Any], postgres: str, key: Ed25519NoteSigner, fence_file: Path
) -> None:
    keys = LogKeys(key, MLDSA44Cosigner(ORIGIN, MLDSA44PrivateKey.generate()))
    grow(conn, 3)
    fence_file.write_bytes(b"scribble")
    stop = threading.Event()

    def follow() -> None:
        with psycopg.connect(postgres, autocommit=True) as own:
            signing.follow(own, FileFence(fence_file), keys, 0.02, stop)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        wait_for_phase(conn, SignerPhase.STOPPED)
        fence_file.unlink()
        wait_for_phase(conn, SignerPhase.SIGNING)
    finally:
        stop.set()
        thread.join(10)

    assert check_history(conn, key, fence_file) == 3


def wait_for_phase(conn: Connection[Any], phase: SignerPhase) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        state = log.signer_state(conn)
        if state is not None and state.phase is phase:
            return
        time.sleep(0.02)
    raise AssertionError(f"the signer never said {phase}")
