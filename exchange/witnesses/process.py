"""The process that asks the witnesses: one checkpoint at a time, at most one round in a second.

It holds no private key: the log's is the signer's alone. Nobody waits for it, and it may be away
for as long as it likes; what it brings are cosignatures of checkpoints that are long published.
"""

import asyncio
import signal
import threading
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx
import psycopg
import structlog
from psycopg import Connection

from exchange.readiness import tell_ready
from exchange.settings import Settings
from exchange.store.database import connect
from exchange.transparency.model import LogDamaged, Published
from exchange.transparency.repository import node_reader, published
from exchange.witnesses import repository
from exchange.witnesses.client import WitnessClient
from exchange.witnesses.model import Round, addresses, read_witness_policy
from exchange.witnesses.rounds import Patience, Rounds
from ledger.merkle import consistency_proof
from ledger.policy import Policy

_LOOKS_PER_INTERVAL = 10
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
        if await _pause(stop, _AGAIN_AFTER_S):
            return
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=patience.timeout_s))
        clients = [WitnessClient(http, address, prove) for address in addresses(policy)]
        rounds = Rounds(policy, clients, patience)
        last: Round | None = None
        while not stop.is_set():
            began_s = time.monotonic()
            last = await _turn(conn, rounds, last)
            while time.monotonic() - began_s < interval_s:
                if await _pause(stop, interval_s / _LOOKS_PER_INTERVAL):
                    return


async def _turn(conn: Connection[Any], rounds: Rounds, last: Round | None) -> Round | None:
    """One round, unless the newest checkpoint is final already; the newest round after it."""
    newest = published(conn)
    if newest is None or (last is not None and last.final and last.size == newest.size):
        return last
    repeated = last is not None and last.size == newest.size
    before = last.lines if last is not None and repeated else {}
    held = await rounds.hold(_as_sent(newest), before)
    if held.lines != before:
        repository.save_round(conn, held)
    if held.final:
        log.info("final", size=held.size, cosigned=sorted(held.lines))
    return held


def _as_sent(checkpoint: Published) -> Published:
    """The checkpoint in the bytes that every witness gets."""
    return checkpoint


async def _pause(stop: threading.Event, seconds: float) -> bool:
    """Wait a little; whether it is time to end."""
    await asyncio.sleep(seconds)
    return stop.is_set()
