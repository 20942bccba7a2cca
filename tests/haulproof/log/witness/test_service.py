"""A witness in this process: nothing but a whole and right request is cosigned."""

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulproof.log.witness.service import Witness
from haulproof.log.witness.store import WitnessStore
from ledger.checkpoint import unverified_head
from ledger.note import NoteSigner, format_note, parse_note
from ledger.witness.cosigned import cosigned_by
from ledger.witness.judgement import NotCosigned
from ledger.witness.quota import BURST, AskedTooOften
from ledger.witness.request import AddCheckpoint, format_request
from tests.ledger.witness.logs import SmallLog, ed25519_witness, ml_dsa_witness

LOG = SmallLog()
SIGNERS: tuple[NoteSigner, NoteSigner] = (ed25519_witness(1), ml_dsa_witness(2))
KEYS = {"ed25519": SIGNERS[0].vkey, "ml-dsa-44": SIGNERS[1].vkey}
NOW_S = 1_750_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessStore]:
    opened = WitnessStore(tmp_path_factory.mktemp("w") / "state.db", is_new=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def witness(store: WitnessStore) -> Witness:
    """One that stands at 100, and whose clock lets a log ask as often as it likes."""
    minutes = count(0, 60)
    made = Witness(
        SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: float(next(minutes))
    )
    made.add_checkpoint(LOG.body(0, 100))
    return made


def stands_at(store: WitnessStore) -> int:
    note = store.note(LOG.origin)
    assert note is not None
    return unverified_head(note)[0].size


@given(place=st.integers(0), xor=st.integers(1, 255))
def test_no_request_with_a_changed_byte_is_cosigned(
    witness: Witness, store: WitnessStore, place: int, xor: int
) -> None:
    body = bytearray(LOG.body(100, 200))
    body[place % len(body)] ^= xor

    with pytest.raises(NotCosigned):
        witness.add_checkpoint(bytes(body))
    assert stands_at(store) == 100


@given(st.binary(max_size=300))
def test_no_bytes_end_in_another_error(witness: Witness, body: bytes) -> None:
    for hostile in (body, b"old 100\n" + body, LOG.body(100, 200) + body[:1]):
        if hostile != LOG.body(100, 200):
            with pytest.raises(NotCosigned):
                witness.add_checkpoint(hostile)


def test_what_it_gives_out_is_what_it_keeps(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    made = Witness(SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: 0.0)

    lines = made.add_checkpoint(LOG.body(0, 7))

    assert LOG.note(7) + lines == store.note(LOG.origin)
    kept = parse_note(LOG.note(7) + lines)
    assert cosigned_by(kept, KEYS).times_s == {"ed25519": NOW_S, "ml-dsa-44": NOW_S}
    store.close()


def test_what_cannot_be_kept_is_not_given_out(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    made = Witness(SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: 0.0)
    made.add_checkpoint(LOG.body(0, 7))
    store._db.execute("PRAGMA query_only = ON")

    with pytest.raises(sqlite3.OperationalError):
        made.add_checkpoint(LOG.body(7, 9))

    store._db.execute("PRAGMA query_only = OFF")
    assert stands_at(store) == 7
    made.add_checkpoint(LOG.body(7, 9))
    assert stands_at(store) == 9
    store.close()


def test_a_stranger_who_replays_what_is_public_does_not_keep_the_log_out(tmp_path: Path) -> None:
    """The same head, an old size and a wrong proof: whoever has the checkpoint can send all."""
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    made = Witness(SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: 0.0)
    made.add_checkpoint(LOG.body(0, 7))

    for _ in range(2 * BURST):
        made.add_checkpoint(LOG.body(7, 7))
        for old, new in ((0, 7), (0, 9)):
            with pytest.raises(NotCosigned):
                made.add_checkpoint(LOG.body(old, new))
        with pytest.raises(NotCosigned):
            made.add_checkpoint(format_request(AddCheckpoint(7, (bytes(32),), LOG.note(9))))

    made.add_checkpoint(LOG.body(7, 9))
    assert stands_at(store) == 9
    store.close()


def test_a_log_that_grows_too_often_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    made = Witness(SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: 0.0)
    for size in range(BURST):
        made.add_checkpoint(LOG.body(size, size + 1))

    with pytest.raises(AskedTooOften):
        made.add_checkpoint(LOG.body(BURST, BURST + 1))

    assert stands_at(store) == BURST
    store.close()


def test_the_same_again_within_a_second_has_the_same_lines_and_no_write(tmp_path: Path) -> None:
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    posix, monotonic = count(NOW_S), iter([0.0, 0.0, 0.9, 1.1])
    made = Witness(
        SIGNERS, store, {LOG.origin: LOG.known}, lambda: next(posix), lambda: next(monotonic)
    )
    first = made.add_checkpoint(LOG.body(0, 7))
    written = store._db.total_changes

    assert made.add_checkpoint(LOG.body(7, 7)) == first
    assert store._db.total_changes == written
    later = made.add_checkpoint(LOG.body(7, 7))
    assert later != first
    assert store.note(LOG.origin) == LOG.note(7) + later
    store.close()


def test_a_line_of_the_log_that_is_there_often_is_kept_once(tmp_path: Path) -> None:
    """What is kept stays readable, however often a stranger has doubled the line."""
    store = WitnessStore(tmp_path / "state.db", is_new=True)
    made = Witness(SIGNERS, store, {LOG.origin: LOG.known}, lambda: NOW_S, lambda: 0.0)
    signed = parse_note(LOG.note(7))
    often = format_note(signed.text, list(signed.signatures) * 60)

    lines = made.add_checkpoint(format_request(AddCheckpoint(0, (), often)))

    assert store.note(LOG.origin) == LOG.note(7) + lines
    store.close()
