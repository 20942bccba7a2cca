"""The log in PostgreSQL is the RFC 9162 tree of its leaves, whoever appends, and shows no more
than is published."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.transparency import repository as log
from exchange.transparency.model import LogDamaged, Published
from ledger import merkle, tiles
from ledger.leaf import leaf_entry, statement_leaf_hashes
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import Kind


@pytest.fixture
def conn(postgres: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(postgres) as connection:
        yield connection


def some_leaves(rng: random.Random, count: int) -> list[tuple[int, bytes]]:
    return [(int(Kind.SEGMENT), rng.randbytes(32)) for _ in range(count)]


def a_statement(payload: bytes) -> sign1.Statement:
    raw = sign1.sign(
        SoftwareSigner.generate(),
        issuer="hp:acme",
        subject="dev-1",
        origin="example.org/log",
        type_text="hp-dev",
        payload=payload,
    )
    return sign1.parse(raw)


def test_appended_leaves_make_the_rfc_9162_tree(conn: Connection[Any]) -> None:
    rng = random.Random(7)
    leaves: list[tuple[int, bytes]] = []

    for count in (1, 255, 1, 3, 300, 65_000, 17):
        more = some_leaves(rng, count)
        assert log.append_leaves(conn, more) == len(leaves)
        leaves += more
        conn.commit()

    hashes = statement_leaf_hashes(leaves)
    head = log.head(conn)
    assert (head.size, head.root) == (len(leaves), merkle.root_from_leaf_hashes(hashes))
    get_node = log.node_reader(conn, head.size)
    for index in (0, 256, 65_535, head.size - 1):
        proof = merkle.inclusion_proof(get_node, index, head.size)
        merkle.verify_inclusion(hashes[index], index, head.size, proof, head.root)


@pytest.mark.parametrize("bad", [(0, bytes(32)), (256, bytes(32)), (1, bytes(31))])
@pytest.mark.parametrize("place", [0, 2_999])
def test_a_leaf_that_is_none_undoes_its_whole_batch(
    conn: Connection[Any], bad: tuple[int, bytes], place: int
) -> None:
    leaves = some_leaves(random.Random(5), 3_000)
    log.append_leaves(conn, leaves[:10])
    conn.commit()
    before = log.head(conn)
    leaves[place] = bad

    with pytest.raises((ValueError, psycopg.errors.CheckViolation)), conn.transaction():
        log.append_leaves(conn, leaves)

    assert log.head(conn) == before
    assert log.append_leaves(conn, leaves[:1] if place else leaves[-1:]) == 10


def test_nothing_is_served_that_no_checkpoint_covers(conn: Connection[Any]) -> None:
    leaves = some_leaves(random.Random(1), 300)
    hashes = statement_leaf_hashes(leaves)
    log.append_leaves(conn, leaves)
    assert log.tile(conn, 0, 0, 1) is None
    assert log.published(conn) is None

    root = merkle.root_from_leaf_hashes(hashes[:258])
    log.publish(conn, Published(b"note of 258", 258, root))

    assert log.published(conn) == Published(b"note of 258", 258, root)
    assert log.tile(conn, 0, 0, 256) == b"".join(hashes[:256])
    assert log.tile(conn, 0, 1, 2) == b"".join(hashes[256:258])
    assert log.tile(conn, 0, 1, 3) is None
    assert log.tile(conn, 1, 0, 1) is not None
    assert log.tile(conn, 1, 0, 2) is None
    bundle = log.entries(conn, 1, 2)
    assert bundle is not None
    assert tiles.decode_bundle(bundle) == [leaf_entry(*leaf) for leaf in leaves[256:258]]
    assert log.entries(conn, 1, 3) is None


def test_a_statement_and_its_leaf_come_together_and_once(conn: Connection[Any]) -> None:
    statement = a_statement(b"one")

    index = log.commit_statement(conn, Kind.DEVICE_KEY, statement)
    again = log.commit_statement(conn, Kind.DEVICE_KEY, statement)
    other = log.commit_statement(conn, Kind.DEVICE_KEY, a_statement(b"two"))

    assert (index, again, other) == (0, 0, 1)
    assert log.head(conn).size == 2
    assert log.indices_of(conn, [statement.digest, sha256(b"").digest()]) == {statement.digest: 0}


def test_statements_are_found_by_every_condition(conn: Connection[Any]) -> None:
    first, second = a_statement(b"one"), a_statement(b"two")
    log.commit_statement(conn, Kind.DEVICE_KEY, first)
    log.append_leaves(conn, some_leaves(random.Random(1), 1))
    log.commit_statement(conn, Kind.GAP, second)

    def indices(**conditions: Any) -> list[int]:
        return [one.index for one in log.statements_of(conn, **conditions)]

    assert indices() == [0, 2]
    assert indices(kinds=[Kind.GAP]) == [2]
    assert indices(indices=[0, 1, 5]) == [0]
    assert indices(subject="dev-1", issuer="hp:acme") == [0, 2]
    assert indices(subject="dev-2") == []
    assert indices(after=0) == [2]
    assert indices(below=2) == [0]
    assert indices(limit=1) == [0]
    (found,) = log.statements_of(conn, indices=[2])
    assert (found.raw, found.digest, found.kind) == (second.raw, second.digest, Kind.GAP)


def test_writers_at_once_get_consecutive_indices(postgres: str) -> None:
    def append(seed: int) -> list[tuple[int, bytes]]:
        rng = random.Random(seed)
        placed = []
        with psycopg.connect(postgres) as conn:
            for _ in range(10):
                leaves = some_leaves(rng, rng.randrange(1, 30))
                first = log.append_leaves(conn, leaves)
                conn.commit()
                placed += [(first + i, digest) for i, (_, digest) in enumerate(leaves)]
        return placed

    with ThreadPoolExecutor(3) as writers:
        placed = sorted(one for part in writers.map(append, range(3)) for one in part)

    with psycopg.connect(postgres) as conn:
        head = log.head(conn)
    hashes = statement_leaf_hashes((int(Kind.SEGMENT), digest) for _, digest in placed)
    assert [index for index, _ in placed] == list(range(head.size))
    assert head.root == merkle.root_from_leaf_hashes(hashes)


def test_what_is_rolled_back_never_was(conn: Connection[Any]) -> None:
    log.append_leaves(conn, some_leaves(random.Random(1), 5))
    log.bump_key_epoch(conn)
    conn.rollback()

    assert log.head(conn).size == 0
    assert log.key_epoch(conn) == 0


def test_a_key_epoch_waits_for_the_head_s_lock(postgres: str) -> None:
    with psycopg.connect(postgres) as holder, psycopg.connect(postgres) as other:
        log.lock_head(holder)
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            log.bump_key_epoch(other)
        other.rollback()
        holder.rollback()
        log.bump_key_epoch(other)

        assert log.key_epoch(other) == 1


def test_a_tile_that_is_gone_is_damage_not_a_wrong_proof(
    conn: Connection[Any], owner: Connection[Any]
) -> None:
    leaves = some_leaves(random.Random(1), 300)
    log.append_leaves(conn, leaves)
    log.publish(conn, Published(b"note", 300, log.head(conn).root))
    conn.commit()
    owner.execute("DELETE FROM tile WHERE level = 0 AND n = 0")

    with pytest.raises(LogDamaged, match="tile 0 of level 0"):
        log.node_reader(conn, 300)(0, 3)
    with pytest.raises(LogDamaged):
        log.tile(conn, 0, 0, 256)
    owner.execute("DELETE FROM leaf WHERE index = 290")
    with pytest.raises(LogDamaged, match="leaves after 256"):
        log.entries(conn, 1, 44)
    owner.execute("DELETE FROM tree_head")
    with pytest.raises(LogDamaged):
        log.lock_head(conn)


def test_a_statement_that_comes_back_after_a_restore_takes_its_old_leaf(
    conn: Connection[Any],
) -> None:
    first, second, other = (a_statement(payload) for payload in (b"first", b"second", b"other"))
    log.commit_statement(conn, 11, first)
    log.put_back(conn, [(11, second.digest), (1, bytes(32))])
    root = log.head(conn).root

    assert log.commit_statement(conn, 11, second) == 1
    assert (log.head(conn).size, log.head(conn).root) == (3, root)
    assert [one.raw for one in log.statements_of(conn)] == [first.raw, second.raw]
    assert log.commit_statement(conn, 11, second) == 1
    assert log.commit_statement(conn, 11, other) == 3
    assert log.head(conn).awaited == 1
