"""From a leaf's scheduled moment to the checkpoint that covers it, published.

Leaves come by a schedule that waits for nobody, and are committed as intake commits: when the
oldest has waited for the batch's age. The listener is told by PostgreSQL, as intake is.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, sql

from exchange.transparency.model import CHECKPOINT_CHANNEL
from exchange.transparency.repository import append_leaves
from haulproof.bench.log.places import random_digests
from schemas.kinds import Kind

_LISTEN_EACH_S = 0.2
_PATIENCE_S = 30.0


@dataclass(slots=True)
class _Heard:
    """Sizes of the checkpoints as they were published, ascending, and when (monotonic s)."""

    sizes: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)

    def when_covered(self, index: int) -> float | None:
        place = bisect_right(self.sizes, index)
        return self.at_s[place] if place < len(self.sizes) else None


def seconds_to_publish(
    url: str, rate_per_s: float, seconds: float, batch_age_s: float
) -> list[float | None]:
    """How long each leaf took to be under a published checkpoint; None: it never was."""
    heard, over, listening = _Heard(), threading.Event(), threading.Event()
    listener = threading.Thread(target=_listen, args=(url, heard, over, listening), daemon=True)
    listener.start()
    listening.wait(_PATIENCE_S)
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            due, first = _send(conn, rate_per_s, seconds, batch_age_s)
        _await(heard, first + len(due))
    finally:
        over.set()
        listener.join()
    covered = [heard.when_covered(first + place) for place in range(len(due))]
    return [
        None if at_s is None else at_s - due_s for due_s, at_s in zip(due, covered, strict=True)
    ]


def _send(
    conn: Connection[Any], rate_per_s: float, seconds: float, batch_age_s: float
) -> tuple[list[float], int]:
    """The scheduled moment of each leaf, and the first one's index."""
    digests = random_digests(int(rate_per_s * seconds))
    started = time.monotonic()
    due = [started + place / rate_per_s for place in range(len(digests))]
    sent, first = 0, -1
    while sent < len(due):
        time.sleep(max(0.0, due[sent] + batch_age_s - time.monotonic()))
        until = bisect_right(due, time.monotonic())
        index = _commit(conn, digests[sent:until])
        first = index if first < 0 else first
        sent = until
    return due, first


def _commit(conn: Connection[Any], digests: Sequence[bytes]) -> int:
    with conn.transaction():
        return append_leaves(conn, [(int(Kind.SEGMENT), digest) for digest in digests])


def _listen(url: str, heard: _Heard, over: threading.Event, listening: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHECKPOINT_CHANNEL)))
        listening.set()
        while not over.is_set():
            for told in conn.notifies(timeout=_LISTEN_EACH_S, stop_after=1):
                heard.at_s.append(time.monotonic())
                heard.sizes.append(int(told.payload))


def _await(heard: _Heard, size: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and not (heard.sizes and heard.sizes[-1] >= size):
        time.sleep(_LISTEN_EACH_S)
