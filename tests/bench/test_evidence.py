"""The bench's long trip is a file like any other: both verifiers take it, and no other bytes."""

import pytest

from haulproof.bench.evidence.long_trip import LongTrip
from haulproof.bench.evidence.sparse_tree import SparseTree
from ledger.evidence.independent.check import independent_verify
from ledger.evidence.verify import verify_evidence
from ledger.merkle import inclusion_proof, tree_root, verify_inclusion
from tests.ledger.trees import leaves

SIZE = 10_000_000


@pytest.fixture(scope="module")
def trip() -> LongTrip:
    return LongTrip(12)


def test_a_trip_anywhere_in_a_large_log_verifies(trip: LongTrip) -> None:
    for places in (range(700, 712), range(5, SIZE - 5, 900_000)):
        made = trip.file(list(places), SIZE)

        report = verify_evidence(made.data, trip.policy)
        assert report.verified, report.findings
        policy = f"log {trip.log.vkey}\nquorum none\n"
        assert independent_verify(made.data, policy)["verified"] is True
        assert (report.statements, report.log_size) == (12 + 5, SIZE)
        assert made.segments_bytes + made.multiproof_bytes < len(made.data)


def test_a_known_leaf_is_proven_among_leaves_that_nobody_made() -> None:
    known = {index: leaves(3)[place] for place, index in enumerate((0, 4_711, SIZE - 1))}
    tree = SparseTree(known)
    root = tree_root(tree.get_node, SIZE)

    for index, leaf in known.items():
        verify_inclusion(leaf, index, SIZE, inclusion_proof(tree.get_node, index, SIZE), root)
