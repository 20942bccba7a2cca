"""A published log is believed as far as its checkpoint reaches, and no byte further."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.merkle import EMPTY_ROOT, verify_consistency
from ledger.note import VKey
from ledger.tile_directory import TileDirectory
from ledger.verified_tree import (
    LogForked,
    LogUnsound,
    NotPublished,
    VerifiedTree,
    tree_if_newer,
)
from tests.ledger.made_log import MadeLog
from tests.ledger.trees import VECTORS

_TESSERA = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
_TESSERA_KEY = VKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
_SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 1_000]


def read_all(tree: VerifiedTree) -> list[bytes]:
    return [entry for n in range(-(-tree.size // 256)) for entry in tree.entries(n)]


def tessera_checkpoint(size: int) -> Checkpoint:
    return open_checkpoint((_TESSERA / f"checkpoint.{size}").read_bytes(), _TESSERA_KEY)


@pytest.mark.parametrize("size", range(16))
def test_the_test_log_of_tessera_is_read_tile_by_tile(size: int) -> None:
    tree = VerifiedTree(TileDirectory(_TESSERA), tessera_checkpoint(size))

    assert len(read_all(tree)) == size
    for older in range(size + 1):
        tree.check_continues(tessera_checkpoint(older))


@pytest.mark.parametrize("size", _SIZES)
def test_every_entry_of_a_sound_log_is_read(size: int) -> None:
    log = MadeLog()

    tree = VerifiedTree(log, log.publish(size))

    assert read_all(tree) == [f"leaf {index}".encode() for index in range(size)]


@given(st.lists(st.integers(0, 1_500), min_size=2, max_size=4).map(sorted))
@settings(max_examples=25)
def test_each_checkpoint_of_a_growing_log_continues_the_one_before(sizes: list[int]) -> None:
    log = MadeLog()
    checkpoints = [log.publish(size) for size in sizes]
    tree = VerifiedTree(log, checkpoints[-1])

    for older, newer in pairwise(checkpoints):
        assert tree.root_at(older.head.size) == older.head.root
        tree.check_continues(older)
        VerifiedTree(log, newer).check_continues(older)


def test_a_tree_of_a_large_log_needs_a_tile_for_each_level() -> None:
    log = MadeLog()
    checkpoint = log.publish(65_536 + 300)
    log.asked.clear()

    tree = VerifiedTree(log, checkpoint)
    tree.root_at(65_536)

    assert sorted(log.asked) == ["tile/0/257.p/44", "tile/1/001.p/1", "tile/2/000.p/1"]
    assert len(tree.entries(3)) == 256


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/0/003.p/232", "tile/1/000.p/3", "tile/entries/000"]
)
@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty"])
def test_a_byte_that_is_wrong_is_found_and_named(path: str, damage: str) -> None:
    log = MadeLog()
    checkpoint = log.publish(1_000)
    good = log.files[path]
    log.files[path] = {
        "flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "cut": good[:-1],
        "longer": good + b"\0\0\0",
        "empty": b"",
    }[damage]

    with pytest.raises(LogUnsound) as unsound:
        read_all(VerifiedTree(log, checkpoint))
    edge = ("checkpoint", path) if ".p/" in path else (path,)
    assert unsound.value.path in edge


@pytest.mark.parametrize("path", ["tile/0/001", "tile/0/003.p/232", "tile/entries/003.p/232"])
def test_what_a_checkpoint_covers_and_nobody_has_is_named(path: str) -> None:
    log = MadeLog()
    checkpoint = log.publish(1_000)
    del log.files[path]

    with pytest.raises(NotPublished, match=path):
        read_all(VerifiedTree(log, checkpoint))


def test_a_partial_tile_that_was_deleted_is_read_from_the_full_one() -> None:
    log = MadeLog()
    older = log.publish(700)
    newer = log.publish(1_100)
    for path in ("tile/0/002.p/188", "tile/entries/002.p/188"):
        del log.files[path]

    assert len(read_all(VerifiedTree(log, older))) == 700
    VerifiedTree(log, newer).check_continues(older)


def test_tiles_of_one_tree_do_not_pass_under_the_checkpoint_of_another() -> None:
    log = MadeLog()
    log.publish(600)
    other = log.forked_at(300)
    checkpoint = other.publish(600)

    with pytest.raises(LogUnsound, match="not signed over the tiles"):
        VerifiedTree(log, checkpoint)
    for path in ("tile/0/002.p/88", "tile/1/000.p/2"):
        log.files[path] = other.files[path]
    with pytest.raises(LogUnsound, match="tile/0/001"):
        read_all(VerifiedTree(log, checkpoint))


@pytest.mark.parametrize(
    ("shared", "older_size", "newer_size"), [(5, 7, 20), (0, 8, 9), (300, 512, 900)]
)
def test_a_fork_is_proven_by_both_checkpoints(
    shared: int, older_size: int, newer_size: int
) -> None:
    log = MadeLog()
    older = log.publish(older_size)
    other = log.forked_at(shared)
    newer = other.publish(newer_size)

    with pytest.raises(LogForked) as found:
        VerifiedTree(other, newer).check_continues(older)

    forked = found.value
    assert (forked.older, forked.newer) == (older, newer)
    assert forked.prefix_root != older.head.root
    verify_consistency(older_size, newer_size, forked.proof, forked.prefix_root, newer.head.root)


def test_two_roots_of_one_size_are_a_fork() -> None:
    log = MadeLog()
    one = log.publish(9)
    other = log.forked_at(3)
    two = other.publish(9)

    with pytest.raises(LogForked):
        tree_if_newer(other, one, two)


def test_an_older_checkpoint_of_the_same_history_is_nothing_new() -> None:
    log = MadeLog()
    older, newer = log.publish(300), log.publish(700)

    assert tree_if_newer(log, newer, older) is None
    assert tree_if_newer(log, newer, newer) is None
    tree = tree_if_newer(log, older, newer)
    assert tree is not None
    assert tree.size == 700


def test_an_older_checkpoint_of_another_history_is_a_fork() -> None:
    log = MadeLog()
    other = log.forked_at(0)
    older, newer = other.publish(300), log.publish(700)

    with pytest.raises(LogForked):
        tree_if_newer(log, newer, older)


def test_the_empty_tree_begins_every_tree() -> None:
    log = MadeLog()
    empty, some = log.publish(0), log.publish(3)

    assert empty.head.root == EMPTY_ROOT
    VerifiedTree(log, some).check_continues(empty)
    VerifiedTree(log, empty).check_continues(empty)


def test_there_is_no_tile_beyond_the_tree() -> None:
    log = MadeLog()
    tree = VerifiedTree(log, log.publish(300))

    for level, n in ((0, 2), (1, 1), (2, 0)):
        with pytest.raises(ValueError, match="no such tile"):
            tree.tile(level, n)


def test_memory_does_not_grow_with_the_log() -> None:
    log = MadeLog()
    tree = VerifiedTree(log, log.publish(20_000))
    read_all(tree)

    assert len(tree._last) <= 3
