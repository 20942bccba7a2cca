"""A batch of messages: judged without the database, then committed in one transaction.

The transaction (DESIGN section 5): identities, sorted → COPY of the rows that were new → the head's
lock → leaves, tiles, head → commit. There is no state in which a record exists without its leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from exchange.intake.verification import parse, refused, verify
from exchange.segments import copying
from exchange.segments.model import Identity
from exchange.segments.normal import NormalSegment, normalise
from exchange.segments.repository import claim_identities, copy_rows, reserve_ids
from exchange.transparency import repository as tree
from exchange.transparency.model import NewLeaf
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind

_JUDGED_AGAIN_MAX = 20


class KeysMoved(Exception):
    """A key was admitted or revoked while the batch was judged."""


@dataclass(slots=True)
class Judged:
    """Messages with a verdict on everything but their uniqueness; ``epoch`` is that of the keys."""

    epoch: int
    verified: list[Verified] = field(default_factory=list)
    normal: dict[int, NormalSegment] = field(default_factory=dict)
    """Rows of the segments among ``verified``, by their place there."""
    refused: list[Refused] = field(default_factory=list)


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
    judged = Judged(epoch, refused=refusals)
    candidates: list[Verified] = []
    for one in parsed:
        try:
            candidates.append(verify(one, keys.known))
        except StatementRefused as refusal:
            refusals.append(refused(one.message, refusal.reason, refusal.detail))
    _judge_columns(candidates, judged)
    return judged


def _judge_columns(candidates: Sequence[Verified], judged: Judged) -> None:
    segments = [one.new.segment for one in candidates if isinstance(one, VerifiedSegment)]
    rows = iter(normalise(segments))
    for one in candidates:
        row = next(rows) if isinstance(one, VerifiedSegment) else None
        if row is not None and not row.good:
            detail = "a column breaks a rule of its encoding"
            judged.refused.append(refused(one.message, Reason.MALFORMED, detail, one.identity))
            continue
        if row is not None:
            judged.normal[len(judged.verified)] = row
        judged.verified.append(one)


def commit(conn: Connection[Any], judged: Judged, now: datetime) -> BatchResult:
    """The batch's transaction, up to the commit itself, which is the caller's.

    ``KeysMoved`` when the keys that judged it are no longer those of the log.
    """
    result = BatchResult(refused=list(judged.refused))
    first: dict[Identity, int] = {}
    for place, one in enumerate(judged.verified):
        first.setdefault(one.identity, place)
    taken = claim_identities(
        conn, [(identity, judged.verified[place].digest) for identity, place in first.items()]
    )
    new: list[int] = []
    again: list[Verified] = []
    for place, one in enumerate(judged.verified):
        holder = taken.get(one.identity, judged.verified[first[one.identity]].digest)
        if holder != one.digest:
            detail = "another statement bears this boot and seq"
            result.refused.append(refused(one.message, Reason.EQUIVOCATION, detail, one.identity))
        elif one.identity not in taken and first[one.identity] == place:
            new.append(place)
        else:
            again.append(one)
    result.committed = _append(conn, judged, new, now)
    _require_epoch(conn, judged, bool(new))
    result.duplicates = _first_places(conn, again)
    return result


def _append(
    conn: Connection[Any], judged: Judged, new: Sequence[int], now: datetime
) -> list[Placed]:
    """Rows first, then the lock that serialises workers, then leaves: held as briefly as can be."""
    if not new:
        return []
    segment_ids = _copy_segments(conn, judged, new, now)
    head = tree.lock_head(conn)
    if head.key_epoch != judged.epoch:
        raise KeysMoved
    verified = [judged.verified[place] for place in new]
    leaves = [
        NewLeaf(_kind(one), one.digest, segment_ids.get(place))
        for place, one in zip(new, verified, strict=True)
    ]
    index = tree.append_under(conn, head, leaves)
    gaps = [
        (index + offset, int(Kind.GAP), one.statement)
        for offset, one in enumerate(verified)
        if isinstance(one, VerifiedGap)
    ]
    if gaps:
        tree.insert_statements(conn, gaps)
    return [Placed(one.identity, index + offset) for offset, one in enumerate(verified)]


def _copy_segments(
    conn: Connection[Any], judged: Judged, new: Sequence[int], now: datetime
) -> dict[int, int]:
    """Copy the new segments' rows; their ids by place."""
    segments = [
        (place, one.new)
        for place in new
        if isinstance(one := judged.verified[place], VerifiedSegment)
    ]
    if not segments:
        return {}
    ids = reserve_ids(conn, len(segments))
    normal = [judged.normal[place] for place, _ in segments]
    copy_rows(conn, copying.rows([segment for _, segment in segments], normal, ids, now))
    return {place: row_id for (place, _), row_id in zip(segments, ids, strict=True)}


def _require_epoch(conn: Connection[Any], judged: Judged, checked: bool) -> None:
    """Refusals rest on keys as well: a batch of nothing but those is checked without the lock."""
    if not checked and tree.key_epoch(conn) != judged.epoch:
        raise KeysMoved


def _first_places(conn: Connection[Any], again: Sequence[Verified]) -> list[Placed]:
    if not again:
        return []
    indices = tree.indices_of(conn, {one.digest for one in again})
    return [Placed(one.identity, indices[one.digest]) for one in again]


def _kind(one: Verified) -> int:
    return int(Kind.GAP if isinstance(one, VerifiedGap) else Kind.SEGMENT)
