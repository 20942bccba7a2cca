"""The entry bytes of a statement."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.leaf import leaf_entry, parse_entry, statement_leaf_hash, statement_leaf_hashes
from ledger.merkle import leaf_hash

_DIGEST = bytes(range(32))


@given(st.integers(1, 255), st.binary(min_size=32, max_size=32))
def test_entry_is_the_shortest_cbor_of_kind_and_digest(kind: int, digest: bytes) -> None:
    entry = leaf_entry(kind, digest)

    assert cbor2.dumps([kind, digest]) == entry
    assert (kind, digest) == parse_entry(entry)
    assert leaf_hash(entry) == statement_leaf_hash(kind, digest)


def test_hashes_of_a_batch_are_those_of_its_leaves() -> None:
    batch = [(1, _DIGEST), (30, _DIGEST), (1, _DIGEST[::-1])]

    assert [statement_leaf_hash(*leaf) for leaf in batch] == statement_leaf_hashes(batch)


@pytest.mark.parametrize("kind", [0, -1, 256])
def test_a_kind_outside_its_range_has_no_entry(kind: int) -> None:
    with pytest.raises(ValueError, match="kind"):
        leaf_entry(kind, _DIGEST)
    with pytest.raises(ValueError, match="kind"):
        statement_leaf_hashes([(kind, _DIGEST)])


def test_a_digest_of_another_length_has_no_entry() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        leaf_entry(1, _DIGEST[1:])
    with pytest.raises(ValueError, match="32 bytes"):
        statement_leaf_hashes([(1, _DIGEST[1:])])


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        _DIGEST,
        leaf_entry(1, _DIGEST) + b"\x00",
        leaf_entry(1, _DIGEST)[1:],
        cbor2.dumps([1, _DIGEST + b"\x00"]),
        b"\x82\x18\x01\x58\x20" + _DIGEST,
    ],
)
def test_other_bytes_are_no_entry(entry: bytes) -> None:
    with pytest.raises(ValueError, match=r"entry|kind"):
        parse_entry(entry)
