"""The deriving process: follows the log, brings the trips of vehicles with new data up to date."""

import os
import signal
import threading
import time
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from exchange.derive.thresholds import CURRENT
from exchange.directory import existing_directory
from exchange.readiness import tell_ready
from exchange.settings import Settings
from exchange.store.database import connect
from exchange.trips import repository
from exchange.trips.derivation import Notary, derive_vehicle
from exchange.trips.model import Pending
from schemas.errors import StatementRefused

_LOOK_EVERY_S = 0.5
_NICENESS = 10
"""Derivation can wait, intake cannot: this process gives way to the others of the machine."""
_REST, _REST_BUSY = 1, 4
"""How much longer it rests than it worked; the second when the machine's cores are all at work."""
_REST_MAX_S = 0.25
_AGAIN_AFTER_S = 1.0
_LEAVES_MAX = 10_000
"""Leaves noticed in one transaction."""

log = structlog.get_logger("derive")


def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT, through every absence of the database."""
    os.nice(_NICENESS)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    directory = existing_directory(settings.dir)
    notary = Notary(
        organisation=settings.organisation,
        origin=directory.origin or "",
        signer=directory.exchange_signer(),
        random=os.urandom,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
    while not stop.is_set():
        try:
            with connect(settings) as conn:
                conn.autocommit = True
                follow(conn, notary, stop)
        except psycopg.OperationalError as error:
            log.warning("database-away", error=str(error).strip())
            stop.wait(_AGAIN_AFTER_S)
    return 0


def follow(conn: Connection[Any], notary: Notary, stop: threading.Event) -> None:
    """Derive what comes in until told to stop; ``conn`` is in autocommit mode.

    Rests after each vehicle. A vehicle costs nearly the same however much of it is new, so under a
    fleet's load what comes in meanwhile is derived together, and intake has the machine.
    """
    tell_ready()
    while not repository.try_derive_lock(conn):
        if stop.wait(_AGAIN_AFTER_S):
            return
    while not stop.is_set():
        turn(conn, notary, stop)
        stop.wait(_LOOK_EVERY_S)


def turn(conn: Connection[Any], notary: Notary, stop: threading.Event | None = None) -> int:
    """Notice everything new and derive every pending vehicle; how many trips were committed.

    New data of half a second is derived together: that is what a pause between turns is for.
    """
    more = True
    while more:
        with conn.transaction():
            more = repository.notice(conn, _LEAVES_MAX, CURRENT.earliest_ms)
    committed = 0
    for pending in repository.pending(conn):
        if stop is not None and stop.is_set():
            break
        began = time.monotonic()
        committed += _derive(conn, notary, pending)
        if stop is not None:
            stop.wait(min(_rest() * (time.monotonic() - began), _REST_MAX_S))
    return committed


def _rest() -> int:
    return _REST_BUSY if os.getloadavg()[0] >= (os.cpu_count() or 1) else _REST


def _derive(conn: Connection[Any], notary: Notary, pending: Pending) -> int:
    named = {"carrier": pending.vehicle.carrier, "vehicle": pending.vehicle.pseudonym}
    try:
        outcome = derive_vehicle(conn, notary, pending)
    except StatementRefused as refused:
        log.error("not-derivable", **named, reason=str(refused))
        repository.settle_pending(conn, pending.vehicle, None)
        return 0
    for reason in outcome.refused:
        log.error("trip-not-committed", **named, reason=reason)
    if outcome.unbound:
        log.warning("segments-without-binding", **named, segments=outcome.unbound)
    if outcome.ahead:
        log.warning("segments-of-a-time-to-come", **named, segments=outcome.ahead)
    if outcome.committed:
        log.info("trips-committed", **named, trips=outcome.committed)
    return outcome.committed
