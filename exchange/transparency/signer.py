"""The signer: the one process that turns the tree's head into a published checkpoint.

Order, always (DESIGN section 4), and what a crash leaves after each step:

1. read fence and head, prove the head consistent with the fence:   nothing
2. sign the head:                                                   nothing, nobody has seen it
3. publish the fence's own note, if the history lacks it:           a published checkpoint
4. compare-and-swap the fence:        a note that only the fence has: step 3 of the next turn
5. history and publish, one transaction, which tells who listens:   a published checkpoint

The advisory lock only chooses who tries; what may be signed is decided by the fence.
"""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import psycopg
import structlog
from psycopg import Connection

from exchange.directory import existing_directory
from exchange.readiness import tell_ready, tell_unfit
from exchange.settings import Settings
from exchange.store.database import connect
from exchange.transparency import repository
from exchange.transparency.model import LogDamaged, Published, SignerPhase
from ledger.checkpoint import TreeHead, unverified_head
from ledger.fence import Fence, FenceMoved, FenceUncertain, FileFence
from ledger.merkle import consistency_proof
from ledger.note import NoteRefused, NoteSigner
from ledger.signing import SigningRefused, prove_and_sign

_LOOKS_PER_INTERVAL = 5
_AGAIN_AFTER_S = 1.0

log = structlog.get_logger("signer")


class FenceRolledBack(SigningRefused):
    """The history holds a newer checkpoint than the fence."""


class SigningPlace(Protocol):
    """Where fence and log key are kept; an exchange's ``Directory`` is one."""

    @property
    def fence(self) -> Path:
        """The fence file."""

    def log_signer(self) -> NoteSigner:
        """The log's key."""


class LogSigner:
    """Signs the head of the tree in a database, guarded by a fence. One turn at a time."""

    def __init__(self, conn: Connection[Any], fence: Fence, key: NoteSigner) -> None:
        self._conn = conn
        self._fence = fence
        self._key = key

    def turn(self) -> Published | None:
        """Sign and publish when there is anything new; the newest checkpoint after it, if any.

        Raises ``SigningRefused`` or ``LogDamaged`` when nothing may be signed, ``FenceMoved`` and
        ``FenceUncertain`` when the next turn has to start from the fence again.
        """
        with self._conn.transaction():
            head, newest = repository.head(self._conn), repository.published(self._conn)
            note_in_fence = self._fence.read()
            fenced = None if note_in_fence is None else _claimed(note_in_fence)
            _check_not_rolled_back(fenced, newest)
            note = prove_and_sign(
                TreeHead(self._key.vkey.name, head.size, head.root),
                note_in_fence,
                self._prove,
                self._key,
                signed_before=newest is not None,
            )
        if fenced is not None and (newest is None or newest.size < fenced.size):
            newest = self._publish(fenced)
        if note == note_in_fence:
            return newest
        self._fence.compare_and_swap(note_in_fence, note)
        return self._publish(Published(note, head.size, head.root))

    def _prove(self, size1: int, size2: int) -> list[bytes]:
        return consistency_proof(repository.node_reader(self._conn, size2), size1, size2)

    def _publish(self, checkpoint: Published) -> Published:
        with self._conn.transaction():
            repository.publish(self._conn, checkpoint)
        return checkpoint


def run(settings: Settings) -> int:
    """The signer's process: until SIGTERM or SIGINT, through every absence of the database."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    directory = existing_directory(settings.dir)
    interval_s = settings.checkpoint_interval_ms / 1000
    while not stop.is_set():
        try:
            with connect(settings) as conn:
                conn.autocommit = True
                follow(conn, directory, interval_s, stop)
        except psycopg.OperationalError as error:
            log.warning("database-away", error=str(error).strip())
            stop.wait(_AGAIN_AFTER_S)
    return 0


def follow(
    conn: Connection[Any],
    place: SigningPlace,
    interval_s: float,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Sign as the tree grows, at most once per interval, until told to stop.

    ``conn`` is in autocommit mode. Raises ``psycopg.OperationalError`` when the database is away.
    """
    while not repository.try_signer_lock(conn):
        tell_ready()  # another signer does the work
        if stop.wait(_AGAIN_AFTER_S):
            return
    signer = LogSigner(conn, FileFence(place.fence), place.log_signer())
    signed_size, next_at = -1, 0.0
    while not stop.is_set():
        if clock() >= next_at and repository.head(conn).size != signed_size:
            published = _guarded_turn(conn, signer)
            signed_size = published.size if published is not None else -1
            next_at = clock() + (interval_s if published is not None else _AGAIN_AFTER_S)
        stop.wait(interval_s / _LOOKS_PER_INTERVAL)


def _guarded_turn(conn: Connection[Any], signer: LogSigner) -> Published | None:
    """One turn; None, and a word to the operator, when nothing was signed."""
    try:
        published = signer.turn()
    except (SigningRefused, LogDamaged) as refused:
        _tell(conn, SignerPhase.STOPPED, str(refused))
        return None
    except FenceMoved:
        log.warning(
            "fence-moved", detail="another signer has signed; starting from the fence again"
        )
        return None
    except (FenceUncertain, OSError) as error:
        _tell(conn, SignerPhase.STOPPED, f"The fence cannot be used: {error}. It is tried again.")
        return None
    _tell(conn, SignerPhase.SIGNING, "")
    tell_ready()
    return published


def _tell(conn: Connection[Any], phase: SignerPhase, detail: str) -> None:
    known = repository.signer_state(conn)
    if known is not None and (known.phase, known.detail) == (phase, detail):
        return
    repository.save_signer_state(conn, phase, detail)
    if phase is SignerPhase.STOPPED:
        log.error("nothing-is-signed", detail=detail)
        tell_unfit(detail)
    else:
        log.info("signing")


def _claimed(note: bytes) -> Published:
    """What the fence's note says; whether the log's key signed it is checked before it is used."""
    try:
        head, _ = unverified_head(note)
    except NoteRefused as refused:
        raise SigningRefused(
            f"The fence holds no checkpoint ({refused}). Put the newest one, from the history, a "
            "witness or a monitor, into it, then start again."
        ) from refused
    return Published(note, head.size, head.root)


def _check_not_rolled_back(fenced: Published | None, newest: Published | None) -> None:
    if fenced is not None and newest is not None and newest.size > fenced.size:
        raise FenceRolledBack(
            f"The fence holds the checkpoint of {fenced.size} leaves, but the history one of "
            f"{newest.size}: the fence was rolled back. Put the newest checkpoint, from the "
            "history, a witness or a monitor, into the fence, then start again."
        )
