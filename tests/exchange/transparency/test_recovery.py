"""A tree that was rolled back becomes what was signed, by a copy that leads there and no other."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection

from exchange.transparency import repository as log
from exchange.transparency.recovery import (
    CopyLacks,
    CopyUnfit,
    FenceUnset,
    Leaves,
    Standing,
    State,
    check_copy,
    refill,
    set_fence,
    stand,
)
from exchange.transparency.signer import LogSigner
from ledger.checkpoint import TreeHead, sign_checkpoint, unverified_head
from ledger.cosignature import Ed25519Cosigner, cosign
from ledger.fence import FileFence
from ledger.leaf import leaf_entry
from ledger.merkle import EMPTY_ROOT
from ledger.note import Ed25519NoteSigner, NoteRefused, format_lines
from ledger.tiles import TILE_WIDTH, encode_bundle

KEY = Ed25519NoteSigner("example.org/log", Ed25519PrivateKey.generate())


class Copy:
    """A copy of these leaves, as a published log gives them."""

    def __init__(self, leaves: Leaves) -> None:
        self.leaves = leaves

    def entries(self, n: int, width: int) -> bytes:
        held = self.leaves[n * TILE_WIDTH :][:width]
        if len(held) < width:
            raise CopyLacks(f"the copy ends before bundle {n}")
        return encode_bundle([leaf_entry(*leaf) for leaf in held])


class Log:
    """A log in a database that can be rolled back."""

    def __init__(self, conn: Connection[Any], owner: Connection[Any], folder: Path) -> None:
        self.conn, self.owner = conn, owner
        self.fence = FileFence(folder / "fence")
        self.signer = LogSigner(conn, self.fence, KEY)
        self.rng = random.Random(11)
        self.leaves: Leaves = []

    def grow(self, count: int) -> None:
        more = [(self.rng.choice((1, 2)), self.rng.randbytes(32)) for _ in range(count)]
        with self.conn.transaction():
            log.append_leaves(self.conn, more)
        self.leaves += more

    def roll_back_to(self, size: int) -> None:
        """As a restore of an old backup does; the history goes with it."""
        self.owner.execute("TRUNCATE leaf, tile, checkpoint CASCADE")
        self.owner.execute("UPDATE tree_head SET size = 0, root = %s, awaited = 0", [EMPTY_ROOT])
        with self.conn.transaction():
            log.append_leaves(self.conn, self.leaves[:size])

    def stand(self) -> Standing:
        return stand(self.conn, self.fence, KEY.vkey)

    def signed(self) -> TreeHead:
        signed = self.stand().signed
        assert signed is not None
        return signed


@pytest.fixture
def rolled(postgres: str, owner: Connection[Any], tmp_path: Path) -> Iterator[Log]:
    """Signed at 40,000 leaves, rolled back to 300."""
    with psycopg.connect(postgres, autocommit=True) as conn:
        made = Log(conn, owner, tmp_path)
        made.grow(40_000)
        made.signer.turn()
        made.roll_back_to(300)
        yield made


def heard(told: list[tuple[int, int]]) -> Any:
    return lambda done, total: told.append((done, total))


def quiet(_done: int, _total: int) -> None:
    pass


def test_a_copy_that_leads_to_the_signed_root_makes_the_log_whole(rolled: Log) -> None:
    before = rolled.stand()
    assert (before.state, before.lacking) == (State.SHORT, 39_700)
    copy, told = Copy(rolled.leaves), list[tuple[int, int]]()

    check_copy(rolled.conn, copy, rolled.signed(), heard(told))
    assert rolled.stand() == before
    assert told[-1] == (39_700, 39_700)

    assert refill(rolled.conn, copy, rolled.signed(), heard(told)) == 39_700
    after = rolled.stand()
    assert (after.state, after.awaited, after.tree) == (State.WHOLE, 39_700, rolled.signed())
    rolled.grow(3)
    newest = rolled.signer.turn()
    assert newest is not None
    assert newest.size == 40_003


def test_what_is_missing_is_named(rolled: Log) -> None:
    refill(rolled.conn, Copy(rolled.leaves), rolled.signed(), quiet)

    with rolled.conn.transaction():
        named = list(log.missing_records(rolled.conn))

    assert [(kind, digest) for _, kind, digest in named] == rolled.leaves
    assert [index for index, _, _ in named] == list(range(40_000))


@pytest.mark.parametrize("wrong", ["changed", "short", "another log", "no entries"])
def test_another_copy_is_refused_and_changes_nothing(rolled: Log, wrong: str) -> None:
    leaves = list(rolled.leaves)
    copy = Copy(leaves)
    if wrong == "changed":
        leaves[36_000] = (leaves[36_000][0], bytes(32))
    elif wrong == "short":
        del leaves[-1]
    elif wrong == "another log":
        copy.leaves = [(1, bytes(32))] * 40_000
    else:
        copy.entries = lambda n, width: b"\0\1x" * width  # type: ignore[method-assign]
    before, signed = rolled.stand(), rolled.signed()

    refused = CopyLacks if wrong == "short" else CopyUnfit
    with pytest.raises(refused):
        check_copy(rolled.conn, copy, signed, quiet)
    with pytest.raises(refused):
        refill(rolled.conn, copy, signed, quiet)

    assert rolled.stand() == before


def test_a_tree_with_other_leaves_is_told_from_a_short_one(rolled: Log) -> None:
    with rolled.conn.transaction():
        log.append_leaves(rolled.conn, [(1, bytes(32))] * 5)
    with pytest.raises(CopyUnfit, match="restore the backup once more"):
        check_copy(rolled.conn, Copy(rolled.leaves), rolled.signed(), quiet)

    with rolled.conn.transaction():
        log.append_leaves(rolled.conn, [(1, bytes(32))] * 39_700)
    assert rolled.stand().state is State.FORKED


def test_a_log_that_only_grew_and_one_that_never_signed_are_whole(rolled: Log) -> None:
    rolled.roll_back_to(40_000)
    rolled.grow(5)
    standing = rolled.stand()
    assert (standing.state, standing.lacking) == (State.WHOLE, 0)

    (rolled.fence._path).unlink()
    standing = rolled.stand()
    assert (standing.state, standing.signed) == (State.WHOLE, None)


def test_a_lost_fence_is_set_to_the_newest_note_and_to_no_older_or_foreign_one(
    rolled: Log,
) -> None:
    rolled.roll_back_to(40_000)
    newest = rolled.fence.read()
    assert newest is not None
    older = sign_checkpoint(TreeHead(KEY.vkey.name, 3, bytes(32)), KEY)
    stranger = Ed25519NoteSigner(KEY.vkey.name, Ed25519PrivateKey.generate())
    rolled.signer.turn()

    with pytest.raises(FenceUnset, match="or a newer one already"):
        set_fence(rolled.conn, rolled.fence, newest, KEY.vkey)
    rolled.fence._path.unlink()
    assert rolled.stand().state is State.NO_FENCE
    with pytest.raises(FenceUnset, match="give the newest"):
        set_fence(rolled.conn, rolled.fence, older, KEY.vkey)
    with pytest.raises(FenceUnset, match="no checkpoint of this log"):
        set_fence(
            rolled.conn, rolled.fence, sign_checkpoint(rolled.stand().tree, stranger), KEY.vkey
        )

    assert set_fence(rolled.conn, rolled.fence, newest, KEY.vkey).size == 40_000
    assert rolled.stand().state is State.WHOLE


def test_a_fence_that_was_rolled_back_is_told_and_set_forward_and_never_back(
    rolled: Log,
) -> None:
    rolled.roll_back_to(40_000)
    rolled.signer.turn()
    older = rolled.fence.read()
    rolled.grow(10)
    rolled.signer.turn()
    newest = rolled.fence.read()
    assert older is not None
    assert newest is not None
    rolled.fence._path.write_bytes(older)

    assert rolled.stand().state is State.FENCE_BEHIND
    with pytest.raises(FenceUnset, match="give the newest"):
        set_fence(rolled.conn, rolled.fence, older, KEY.vkey)
    set_fence(rolled.conn, rolled.fence, newest, KEY.vkey)
    assert rolled.stand().state is State.WHOLE
    assert rolled.signer.turn() is not None


def test_only_the_logs_own_line_of_a_note_goes_into_the_fence(rolled: Log) -> None:
    newest = rolled.fence.read()
    assert newest is not None
    rolled.fence._path.unlink()
    witness = Ed25519Cosigner("witness.example", Ed25519PrivateKey.generate())
    line = cosign(unverified_head(newest)[0], witness, 1_750_000_000)

    set_fence(rolled.conn, rolled.fence, newest + format_lines([line]), KEY.vkey)

    assert rolled.fence.read() == newest


def test_a_fence_that_holds_no_checkpoint_of_the_log_is_told(rolled: Log) -> None:
    rolled.fence._path.write_bytes(b"scribble")

    with pytest.raises(NoteRefused):
        rolled.stand()
