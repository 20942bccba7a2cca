"""A log rechecked in full: whole ones pass, and no missing or changed file does."""

import re

import pytest

from ledger.checkpoint import TreeHead, open_checkpoint
from ledger.merkle import leaf_hash
from ledger.note import VKey
from ledger.recheck import LogFileMissing, LogFileWrong, recheck
from ledger.tiles import TILE_WIDTH, append, encode_bundle, entries_path, tile_path
from tests.ledger.trees import VECTORS

_LOG = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
_LOG_KEY = VKey.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
SIZES = [0, 1, 255, 256, 257, 513, 65_536, 65_900]


def published(size: int) -> tuple[TreeHead, dict[str, bytes]]:
    """A log of so many leaves: its head, and its files by path."""
    entries = [b"leaf %d" % index for index in range(size)]
    made = append(0, {}, [leaf_hash(entry) for entry in entries])
    files = {
        tile_path(level, n, len(tile) // 32): tile for (level, n), tile in made.changed.items()
    }
    for start in range(0, size, TILE_WIDTH):
        bundle = entries[start : start + TILE_WIDTH]
        files[entries_path(start // TILE_WIDTH, len(bundle))] = encode_bundle(bundle)
    return TreeHead("log.example/a", size, made.root), files


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_log_passes_and_every_file_is_read(size: int) -> None:
    head, files = published(size)
    asked: set[str] = set()
    seen: list[int] = []

    def read(path: str) -> bytes | None:
        asked.add(path)
        return files.get(path)

    count = recheck(read, head, lambda first, hashes: seen.append(len(hashes)))

    assert asked == set(files)
    assert count == len(files)
    assert sum(seen) == size


@pytest.mark.parametrize("size", range(16))
def test_the_published_log_passes_at_each_of_its_sizes(size: int) -> None:
    head = open_checkpoint((_LOG / f"checkpoint.{size}").read_bytes(), _LOG_KEY).head

    def read(path: str) -> bytes | None:
        place = _LOG / path
        return place.read_bytes() if place.is_file() else None

    recheck(read, head)


def test_a_partial_file_may_have_given_way_to_the_whole_one() -> None:
    _, grown = published(TILE_WIDTH * 2)
    head, _ = published(TILE_WIDTH + 40)
    whole = {path: data for path, data in grown.items() if ".p/" not in path}
    whole[tile_path(1, 0, 1)] = grown[tile_path(1, 0, 2)][:32]

    recheck(whole.get, head)


_HEAD, _FILES = published(600)


@pytest.mark.parametrize("path", sorted(_FILES))
def test_a_missing_file_is_named(path: str) -> None:
    files = {name: data for name, data in _FILES.items() if name != path}

    with pytest.raises(LogFileMissing, match=re.escape(path)):
        recheck(files.get, _HEAD)


@pytest.mark.parametrize("path", sorted(_FILES))
@pytest.mark.parametrize("place", [0, 2, -1])
def test_a_changed_file_does_not_pass(path: str, place: int) -> None:
    changed = bytearray(_FILES[path])
    changed[place] ^= 1

    with pytest.raises(LogFileWrong):
        recheck({**_FILES, path: bytes(changed)}.get, _HEAD)


def test_entries_and_tiles_that_agree_lead_to_the_signed_root_or_do_not_pass() -> None:
    other, files = published(599)

    with pytest.raises((LogFileWrong, LogFileMissing)):
        recheck(files.get, _HEAD)
    with pytest.raises(LogFileWrong, match="another root"):
        recheck(files.get, TreeHead(other.origin, other.size, _HEAD.root))
