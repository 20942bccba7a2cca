"""A batch of messages: judged without the database, then committed in one transaction.

The transaction (DESIGN section 5): identities, sorted → COPY of the rows that were new → the head's
lock → leaves, tiles, head → commit. There is no state in which a record exists without its leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from exchange.intake.keys import KeyRing, keys_of
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
from exchange.intake.verification import Keys, VerifiedBatch, parse, refused, verify_batch
from exchange.segments import copying
from exchange.segments.model import Identity, NewSegment
from exchange.segments.repository import claim_identities, copy_rows, holders, reserve_ids
from exchange.transparency import repository as tree
from exchange.transparency.model import NewLeaf
from schemas.cose.sign1 import Statement
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind

_JUDGED_FREELY_MAX = 3
"""How often a batch is judged without the head's lock, before it is judged under it."""

_BARRED = {
    Reason.REVOKED_KEY: "the key has been revoked; the carrier may release what it signed",
    Reason.ROTATED_KEY: "the key was replaced, and its rotation does not list this statement",
}


class KeysMoved(Exception):
    """A key that a batch was judged by was admitted, replaced or revoked meanwhile."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Messages with a verdict on everything but their uniqueness.

    ``epoch`` is that of the keys, ``keys`` are those of the devices that sent the messages;
    ``release`` is the carrier's statement that lets them in, committed just before them.
    """

    epoch: int
    batch: VerifiedBatch
    refused: list[Refused]
    keys: Keys = field(default_factory=dict)
    release: Statement | None = None


def take(
    conn: Connection[Any], messages: Sequence[Message], origin: str, keys: KeyRing, now: datetime
) -> BatchResult:
    """Judge and commit a batch; when it returns, what it says is durable.

    Raises what the database raises, with nothing committed unless the answer to the commit itself
    was lost. A batch whose own keys never rest is judged under the head's lock at last, where they
    do. A worker that has the same messages claims them before it takes that lock: the database
    ends such a deadlock by an ``OperationalError`` in one of the two.
    """
    for _ in range(_JUDGED_FREELY_MAX):
        judged = judge(conn, messages, origin, keys)
        try:
            with conn.transaction():
                return commit(conn, judged, now)
        except KeysMoved:
            continue
    with conn.transaction():
        tree.lock_head(conn)
        return commit(conn, judge(conn, messages, origin, keys), now)


def judge(conn: Connection[Any], messages: Sequence[Message], origin: str, keys: KeyRing) -> Judged:
    """Everything about a message that needs no other message.

    ``conn`` is in autocommit mode, or its transaction holds the head's lock.
    """
    refusals: list[Refused] = []
    parsed: list[Parsed] = []
    for message in messages:
        try:
            parsed.append(parse(message, origin))
        except StatementRefused as refusal:
            refusals.append(refused(message, refusal.reason, refusal.detail))
    devices = {(one.carrier, one.device) for one in parsed}
    epoch = keys.learn(conn, devices)
    batch = verify_batch(parsed, keys.known)
    by = {device: keys.known[device] for device in devices}
    return Judged(epoch, batch, refusals + batch.refused, by)


def commit(conn: Connection[Any], judged: Judged, now: datetime) -> BatchResult:
    """The batch's transaction, up to the commit itself, which is the caller's.

    ``KeysMoved`` when the keys that judged it are no longer those of the log.
    """
    result = BatchResult(refused=list(judged.refused))
    verified, again = _admitted(conn, judged.batch.verified, result)
    first: dict[Identity, int] = {}
    for place, one in enumerate(verified):
        first.setdefault(one.identity, place)
    taken = claim_identities(
        conn, [(identity, verified[place].digest) for identity, place in first.items()]
    )
    new: list[Verified] = []
    for place, one in enumerate(verified):
        holder = taken.get(one.identity, verified[first[one.identity]].digest)
        if holder != one.digest:
            result.refused.append(_equivocation(one))
        elif one.identity not in taken and first[one.identity] == place:
            new.append(one)
        else:
            again.append(one)
    result.committed = _append(conn, judged, new, now)
    if not new:
        # Refusals rest on keys as well: a batch of nothing but those is checked without the lock.
        _require_keys(conn, judged, tree.key_epoch(conn))
    result.duplicates = _first_places(conn, again)
    return result


def _admitted(
    conn: Connection[Any], verified: Sequence[Verified], result: BatchResult
) -> tuple[list[Verified], list[Verified]]:
    """What may enter the log, and what of barred keys it holds; the rest of theirs is refused.

    A leaf that was put back after a restore is in the log already, and its record may return.
    """
    barred = [one for one in verified if one.barred is not None]
    if not barred:
        return list(verified), []
    held = holders(conn, [one.identity for one in barred])
    awaited = tree.awaited_leaves(conn, tree.head(conn), [one.digest for one in barred])
    open_: list[Verified] = []
    again: list[Verified] = []
    for one in verified:
        holder = held.get(one.identity)
        if one.barred is None or (holder is None and one.digest in awaited):
            open_.append(one)
        elif holder == one.digest:
            again.append(one)
        elif holder is not None:
            result.refused.append(_equivocation(one))
        else:
            detail = _BARRED[one.barred]
            result.refused.append(refused(one.message, one.barred, detail, one.identity))
    return open_, again


def _equivocation(one: Verified) -> Refused:
    detail = "another statement bears this boot and seq"
    return refused(one.message, Reason.EQUIVOCATION, detail, one.identity)


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
    _require_keys(conn, judged, head.key_epoch)
    if judged.release is not None:
        tree.commit_statement(conn, Kind.DECLARATION, judged.release)
        head = tree.lock_head(conn)
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


def _require_keys(conn: Connection[Any], judged: Judged, epoch: int) -> None:
    """``KeysMoved`` unless the keys that judged it still stand; others may have changed.

    A release rests on its carrier's own keys as well, and so on all of the epoch.
    """
    if epoch == judged.epoch:
        return
    if judged.release is not None or keys_of(conn, judged.keys) != judged.keys:
        raise KeysMoved


def _first_places(conn: Connection[Any], again: Sequence[Verified]) -> list[Placed]:
    if not again:
        return []
    indices = tree.indices_of(conn, {one.digest for one in again})
    return [Placed(one.identity, indices[one.digest]) for one in again]
