"""The process that asks the witnesses: one checkpoint at a time, at most one round in a second.

It holds no private key: the log's is the signer's alone. Nobody waits for it, and it may be away
for as long as it likes; what it brings are cosignatures of checkpoints that are long published.
"""

import asyncio
import signal
import threading
import time
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from exchange.readiness import tell_ready
from exchange.settings import Settings
from exchange.store.database import connect
from exchange.transparency.model import LogDamaged, Published
from exchange.transparency.newest import NothingPublished, newest
from exchange.transparency.repository import node_reader
from exchange.witnesses import repository
from exchange.witnesses.client import WitnessClient, http_for_witnesses
from exchange.witnesses.model import Round, addresses, read_witness_policy
from exchange.witnesses.rounds import Patience, Rounds
from ledger.merkle import consistency_proof
from ledger.policy import Policy

_LOOK_EVERY_S = 0.1
_AGAIN_AFTER_S = 1.0

log = structlog.get_logger("witnesses")


def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT, through every absence of the database; ``WrongUsage`` at start."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if settings.witness_policy_file is None:
        return 0
    policy = read_witness_policy(settings.witness_policy_file)
    tell_ready()
    while not stop.is_set():
        try:
            with connect(settings) as conn:
                conn.autocommit = True
                asyncio.run(follow(conn, policy, settings, stop))
        except psycopg.OperationalError as error:
            log.warning("database-away", error=str(error).strip())
            stop.wait(_AGAIN_AFTER_S)
        except LogDamaged as damaged:
            log.error("no-proof-can-be-made", detail=str(damaged))
            stop.wait(_AGAIN_AFTER_S)
    return 0


async def follow(
    conn: Connection[Any], policy: Policy, settings: Settings, stop: threading.Event
) -> None:
    """Hold a round for the newest checkpoint as long as it is not final; ``conn`` autocommits.

    Raises ``psycopg.OperationalError`` when the database is away. The proofs are read from the
    loop's own thread: a round is the only thing that it does.
    """
    interval_s = settings.witness_interval_ms / 1000
    patience = Patience(settings.witness_timeout_ms / 1000, settings.witness_wait_ms / 1000)

    def prove(size1: int, size2: int) -> list[bytes]:
        return consistency_proof(node_reader(conn, size2), size1, size2)

    while not repository.try_rounds_lock(conn):
        await asyncio.sleep(_AGAIN_AFTER_S)
        if stop.is_set():
            return
    async with http_for_witnesses(patience.timeout_s) as http:
        clients = [WitnessClient(http, address, prove) for address in addresses(policy)]
        rounds = Rounds(policy, clients, patience)
        last: Round | None = None
        next_at_s = 0.0
        while not stop.is_set():
            now_s = time.monotonic()
            if now_s >= next_at_s:
                held = await _turn(conn, rounds, last)
                if held is not last:
                    last, next_at_s = held, now_s + interval_s
            await asyncio.sleep(_LOOK_EVERY_S)


async def _turn(conn: Connection[Any], rounds: Rounds, last: Round | None) -> Round | None:
    """One round, unless nothing is missing at the newest checkpoint; the last round after it."""
    try:
        checkpoint = newest(conn)
    except NothingPublished:
        return last
    if last is None:
        last = _resumed(conn, rounds, checkpoint)
    repeated = last is not None and last.size == checkpoint.size
    if last is not None and repeated and last.done:
        return last
    before = last.lines if last is not None and repeated else {}
    held = await rounds.hold(checkpoint, before)
    if held.lines != before:
        repository.save_round(conn, held)
    return held


def _resumed(conn: Connection[Any], rounds: Rounds, checkpoint: Published) -> Round | None:
    """What an earlier process had of this checkpoint, so that it is not asked for again."""
    stored = repository.fullest_round(conn, checkpoint.size)
    if stored is None:
        return None
    note, was_final = stored
    resumed = rounds.resumed(checkpoint, note)
    if resumed.final and not was_final:  # the policy asks for less than it did
        repository.save_round(conn, resumed)
    return resumed
