"""Proofs out of the database at any size that the log ever had."""

import time

import psycopg

from exchange.transparency.repository import node_reader
from haulproof.bench.log.places import historic_places
from ledger.merkle import consistency_proof, inclusion_proof


def proof_seconds(url: str, size: int, count: int) -> dict[str, list[float]]:
    """Seconds of ``count`` inclusion proofs and consistency proofs, each asked for alone."""
    with psycopg.connect(url, autocommit=True) as conn:
        included, consistent = [], []
        for index, historic in historic_places(size, count):
            started = time.perf_counter()
            inclusion_proof(node_reader(conn, historic), index, historic)
            between = time.perf_counter()
            consistency_proof(node_reader(conn, historic), index + 1, historic)
            included.append(between - started)
            consistent.append(time.perf_counter() - between)
    return {"inclusion": included, "consistency": consistent}
