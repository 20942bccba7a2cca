"""The signer: the one process that turns the tree's head into a published checkpoint.

Order, always (DESIGN section 4), and what a crash leaves after each step:

1. read fence and head, prove the head consistent with the fence:   nothing
2. sign the head:                                                   nothing, nobody has seen it
3. publish the fence's own note, if the history lacks it:           a published checkpoint
4. compare-and-swap the fence:        a note that only the fence has: step 3 of the next turn
5. history and publish, one transaction, which tells who listens:   a published checkpoint

The signature of a checkpoint's receipts is made in step 3 or 5, when the fence holds it.

The log's second key, ML-DSA-44, signs in step 5, so it never signs what is not in the fence. Its
line goes into the note that readers pick up; fence, history and receipts have Ed25519's alone
(ADR 0125).

The advisory lock only chooses who tries; what may be signed is decided by the fence.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from exchange.directory import Directory, existing_directory
from exchange.log_keys import LogKeys, open_log_keys
from exchange.readiness import tell_ready, tell_unfit
from exchange.settings import Settings
from exchange.store.database import connect
from exchange.transparency import repository
from exchange.transparency.fence_row import RowFence, system_identifier
from exchange.transparency.model import LogDamaged, Published, SignerPhase
from exchange.transparency.newest import show_newest
from ledger.checkpoint import TreeHead, dual_sign, unverified_head
from ledger.fence import Fence, FenceMoved, FenceUncertain, FileFence
from ledger.merkle import consistency_proof
from ledger.note import NoteRefused, NoteSigner
from ledger.receipt import sign_root
from ledger.signing import SigningRefused, prove_and_sign

_LOOKS_PER_INTERVAL = 5
_AGAIN_AFTER_S = 1.0

log = structlog.get_logger("signer")


class FenceRolledBack(SigningRefused):
    """The history holds a newer checkpoint than the fence."""


class LogSigner:
    """Signs the head of the tree in a database, guarded by a fence. One turn at a time.

    Without the second key, ``ml_dsa``, readers get the notes of the first alone. ``clock`` gives
    POSIX seconds.
    """

    def __init__(
        self,
        conn: Connection[Any],
        fence: Fence,
        key: NoteSigner,
        ml_dsa: NoteSigner | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._conn = conn
        self._fence = fence
        self._key = key
        self._ml_dsa = ml_dsa
        self._clock = clock

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
        if fenced is not None and note == note_in_fence:
            self._sign_receipts(fenced)  # an older version has published it without
            return self._show(fenced)
        self._fence.compare_and_swap(note_in_fence, note)
        return self._publish(Published(note, head.size, head.root))

    def _prove(self, size1: int, size2: int) -> list[bytes]:
        return consistency_proof(repository.node_reader(self._conn, size2), size1, size2)

    def _publish(self, checkpoint: Published) -> Published:
        with self._conn.transaction():
            repository.publish(self._conn, checkpoint)
            self._sign_receipts(checkpoint)
            self._show(checkpoint)
        return checkpoint

    def _sign_receipts(self, fenced: Published) -> None:
        head = TreeHead(self._key.vkey.name, fenced.size, fenced.root)
        signature = sign_root(head, self._key)
        repository.save_receipt_signature(self._conn, head.size, signature)

    def _show(self, checkpoint: Published | None) -> Published | None:
        """Let readers have the checkpoint by both keys."""
        if checkpoint is not None and self._ml_dsa is not None:
            head = TreeHead(self._key.vkey.name, checkpoint.size, checkpoint.root)
            note = dual_sign(head, checkpoint.note, self._ml_dsa, int(self._clock()))
            show_newest(self._conn, checkpoint.size, note)
        return checkpoint


def run(settings: Settings) -> int:
    """The signer's process: until SIGTERM or SIGINT, through every absence of the database."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    directory = existing_directory(settings.dir)
    keys = open_log_keys(directory, settings.token_place)
    interval_s = settings.checkpoint_interval_ms / 1000
    while not stop.is_set():
        try:
            with connect(settings) as conn:
                conn.autocommit = True
                with fence_of(settings, directory, conn) as fence:
                    follow(conn, fence, keys, interval_s, stop)
        except psycopg.OperationalError as error:
            log.warning("database-away", error=str(error).strip())
            stop.wait(_AGAIN_AFTER_S)
    return 0


@contextmanager
def fence_of(settings: Settings, directory: Directory, conn: Connection[Any]) -> Iterator[Fence]:
    """The fence that these settings name; ``conn`` is to the database of the exchange's records."""
    if not settings.fence_url:
        yield FileFence(directory.fence)
        return
    with closing(
        RowFence(settings.fence_url, directory.origin or "", system_identifier(conn))
    ) as fence:
        yield fence


def follow(
    conn: Connection[Any],
    fence: Fence,
    keys: LogKeys,
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
    signer = LogSigner(conn, fence, keys.ed25519, keys.ml_dsa)
    signed_size, next_at = -1, 0.0
    while not stop.is_set():
        if clock() >= next_at and repository.head(conn).size != signed_size:
            started = clock()
            published = _guarded_turn(conn, signer)
            signed_size = published.size if published is not None else -1
            next_at = started + interval_s if published is not None else clock() + _AGAIN_AFTER_S
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
