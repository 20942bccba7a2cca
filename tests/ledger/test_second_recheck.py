"""The second implementation finds whatever is wrong, and shares no code with the first."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from ledger.tiles import decode_bundle, encode_bundle
from tests.ledger.made_log import MadeLog
from tests.ledger.second_recheck import Wrong, from_directory, recheck
from tests.ledger.trees import VECTORS

_ROOMS = {"schemas", "ledger", "edge_agent", "exchange", "firmware_sim", "haulproof"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def test_it_loads_nothing_of_ours() -> None:
    code = (
        "import sys, tests.ledger.second_recheck\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(done.stdout.split()) & _ROOMS == set()


def test_it_accepts_the_test_log_of_tessera() -> None:
    log = VECTORS / "ledger" / "tessera-testdata" / "testdata" / "log"
    key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

    assert recheck(from_directory(log), key) > 0


@pytest.mark.parametrize("size", [0, 1, 256, 700, 65_536])
def test_it_accepts_a_sound_log(size: int, root: Path) -> None:
    log = MadeLog()
    log.publish(size)
    log.write_to(root)

    assert recheck(from_directory(root), log.vkey) == size


def test_it_finds_every_file_that_is_damaged_or_missing(root: Path) -> None:
    log = MadeLog()
    log.publish(700)
    log.write_to(root)
    for path in sorted(log.files):
        place, good = root / path, log.files[path]
        for bad in (good[:-40], good[:-1] + bytes([good[-1] ^ 1]), good + good[-40:], None):
            if bad is None:
                place.unlink()
            else:
                place.write_bytes(bad)
            with pytest.raises((Wrong, ValueError, InvalidSignature, FileNotFoundError)):
                recheck(from_directory(root), log.vkey)
        place.write_bytes(good)
    assert recheck(from_directory(root), log.vkey) == 700


def test_it_finds_entries_of_another_history(root: Path) -> None:
    log = MadeLog()
    log.publish(300)
    log.write_to(root)
    place = root / "tile/entries/000"
    entries = decode_bundle(place.read_bytes())
    place.write_bytes(encode_bundle([entries[1], entries[0], *entries[2:]]))

    with pytest.raises(Wrong, match="tile/0/000"):
        recheck(from_directory(root), log.vkey)


def test_it_demands_the_key_that_it_was_given(root: Path) -> None:
    log, other = MadeLog(), MadeLog()
    log.publish(3)
    log.write_to(root)

    with pytest.raises(Wrong, match="not signed by that key"):
        recheck(from_directory(root), other.vkey)
