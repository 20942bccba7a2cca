"""A batch of messages: judged without the database, then committed in one transaction.

The transaction (DESIGN section 5): identities, sorted → COPY of the rows that were new → the head's
lock → leaves, tiles, head → commit. There is no state in which a record exists without its leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from exchange.intake.keys import KeyRing
from exchange.intake.model import (
    BatchResult,
    Message,
    Parsed,
    Placed,
    Refused,
    Verified,
    VerifiedGap,
    VerifiedSegment,
)
from exchange.intake.verification import VerifiedBatch, parse, refused, verify_batch
from exchange.segments import copying
from exchange.segments.model import Identity, NewSegment
from exchange.segments.repository import claim_identities, copy_rows, reserve_ids
from exchange.transparency import repository as tree
from exchange.transparency.model import NewLeaf
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind

_JUDGED_AGAIN_MAX = 20


class KeysMoved(Exception):
    """A key was admitted or revoked while the batch was judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Messages with a verdict on everything but their uniqueness; ``epoch`` is that of the keys."""

    epoch: int
    batch: VerifiedBatch
    refused: list[Refused]


def take(
    conn: Connection[Any], messages: Sequence[Message], origin: str, keys: KeyRing, now: datetime
) -> BatchResult:
    """Judge and commit a batch; when it returns, what it says is durable.

    Raises what the database raises, with nothing committed unless the answer to the commit itself
    was lost, and ``KeysMoved`` when keys change faster than a batch can be judged.
    """
    for _ in range(_JUDGED_AGAIN_MAX):
        judged = judge(conn, messages, origin, keys)
        try:
            with conn.transaction():
                return commit(conn, judged, now)
        except KeysMoved:
            continue
    raise KeysMoved("keys change faster than a batch can be judged")


def judge(conn: Connection[Any], messages: Sequence[Message], origin: str, keys: KeyRing) -> Judged:
    """Everything about a message that needs no other message. ``conn`` is in autocommit mode."""
    refusals: list[Refused] = []
    parsed: list[Parsed] = []
    for message in messages:
        try:
            parsed.append(parse(message, origin))
        except StatementRefused as refusal:
            refusals.append(refused(message, refusal.reason, refusal.detail))
    epoch = keys.learn(conn, {(one.carrier, one.device) for one in parsed})
    batch = verify_batch(parsed, keys.known)
    return Judged(epoch, batch, refusals + batch.refused)


def commit(conn: Connection[Any], judged: Judged, now: datetime) -> BatchResult:
    """The batch's transaction, up to the commit itself, which is the caller's.

    ``KeysMoved`` when the keys that judged it are no longer those of the log.
    """
    result = BatchResult(refused=list(judged.refused))
    first: dict[Identity, int] = {}
    for place, one in enumerate(judged.batch.verified):
        first.setdefault(one.identity, place)
    taken = claim_identities(
        conn, [(identity, judged.batch.verified[place].digest) for identity, place in first.items()]
    )
    new: list[Verified] = []
    again: list[Verified] = []
    for place, one in enumerate(judged.batch.verified):
        holder = taken.get(one.identity, judged.batch.verified[first[one.identity]].digest)
        if holder != one.digest:
            detail = "another statement bears this boot and seq"
            result.refused.append(refused(one.message, Reason.EQUIVOCATION, detail, one.identity))
        elif one.identity not in taken and first[one.identity] == place:
            new.append(one)
        else:
            again.append(one)
    result.committed = _append(conn, judged, new, now)
    _require_epoch(conn, judged, bool(new))
    result.duplicates = _first_places(conn, again)
    return result


def _append(
    conn: Connection[Any], judged: Judged, new: Sequence[Verified], now: datetime
) -> list[Placed]:
    """Rows first, then the lock that serialises workers, then leaves: held as briefly as can be."""
    if not new:
        return []
    segments = [one.new for one in new if isinstance(one, VerifiedSegment)]
    segment_ids = iter(_copy_segments(conn, judged, segments, now))
    leaves = [
        NewLeaf(int(Kind.GAP), one.digest)
        if isinstance(one, VerifiedGap)
        else NewLeaf(int(Kind.SEGMENT), one.digest, next(segment_ids))
        for one in new
    ]
    head = tree.lock_head(conn)
    if head.key_epoch != judged.epoch:
        raise KeysMoved
    index_of = tree.awaited_leaves(conn, head, [leaf.digest for leaf in leaves])
    if index_of:
        returned = [leaf for leaf in leaves if leaf.digest in index_of]
        tree.attach(conn, {index_of[leaf.digest]: leaf.segment_id for leaf in returned})
    fresh = [leaf for leaf in leaves if leaf.digest not in index_of]
    first = tree.append_under(conn, head, fresh)
    index_of |= {leaf.digest: first + n for n, leaf in enumerate(fresh)}
    gaps = [
        (index_of[one.digest], int(Kind.GAP), one.statement)
        for one in new
        if isinstance(one, VerifiedGap)
    ]
    if gaps:
        tree.insert_statements(conn, gaps)
    return [Placed(one.identity, index_of[one.digest]) for one in new]


def _copy_segments(
    conn: Connection[Any], judged: Judged, segments: Sequence[NewSegment], now: datetime
) -> list[int]:
    """Copy the new segments' rows; returns their ids."""
    if not segments:
        return []
    ids = reserve_ids(conn, len(segments))
    copy_rows(conn, copying.rows(segments, judged.batch.rows, ids, now))
    return ids


def _require_epoch(conn: Connection[Any], judged: Judged, checked: bool) -> None:
    """Refusals rest on keys as well: a batch of nothing but those is checked without the lock."""
    if not checked and tree.key_epoch(conn) != judged.epoch:
        raise KeysMoved


def _first_places(conn: Connection[Any], again: Sequence[Verified]) -> list[Placed]:
    if not again:
        return []
    indices = tree.indices_of(conn, {one.digest for one in again})
    return [Placed(one.identity, indices[one.digest]) for one in again]
