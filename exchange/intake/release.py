"""Release: a carrier stands by statements of a revoked key that are kept aside.

They are committed as intake commits a batch, each with its own leaf, behind the leaf of the
carrier's release: record, release and quarantine in one transaction, which the caller commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from exchange.devices.model import signed_by
from exchange.devices.repository import device_keys
from exchange.errors import ExchangeRefusal
from exchange.intake.batch import Judged, KeysMoved, commit
from exchange.intake.keys import known_key
from exchange.intake.model import Message
from exchange.intake.repository import AsideBytes, kept_aside, mark_released
from exchange.intake.verification import VerifiedBatch, parse, verify_batch
from exchange.orgs.keys import standing_keys
from exchange.transparency.repository import commit_statement, indices_of, key_epoch
from schemas.errors import Reason, StatementRefused
from schemas.kinds import Kind
from schemas.statements import release
from schemas.wire.topics import segment_topic


class ReleaseRefused(ExchangeRefusal):
    """A well-signed release of something that is not kept aside, or cannot enter the log."""


class KeysChanging(ExchangeRefusal):
    """Keys change at this moment: the same request works in the next."""


@dataclass(frozen=True, slots=True)
class Released:
    """The release's leaf, and those of what it released, by digest."""

    index: int
    statements: dict[bytes, int]


def release_statements(
    conn: Connection[Any], raw: bytes, *, carrier: str, device: str, origin: str, now: datetime
) -> Released:
    """Commit what a carrier's release names, all of it or nothing.

    The same release again is answered as it stands; where a restored log has its leaf only, it is
    recorded, and with it what of its statements is kept aside still. Raises ``ReleaseRefused``,
    ``KeysChanging`` or ``StatementRefused``.
    """
    epoch = key_epoch(conn)
    keys = standing_keys(conn, carrier)
    statement = signed_by(raw, Kind.DECLARATION, carrier, origin, keys)
    if statement.header.subject != device:
        raise StatementRefused(Reason.MALFORMED, "the release's subject is another device")
    wanted = release.decode(statement.payload).digests
    known = statement.digest in indices_of(conn, [statement.digest])
    aside = kept_aside(conn, carrier, device, wanted)
    if not known and len(aside) < len(wanted):
        raise ReleaseRefused(
            f"{len(wanted) - len(aside)} of these statements are not kept aside for {device}: see "
            "the list of those that are."
        )
    if aside:
        batch = _verified(conn, aside, carrier, device, origin)
        _commit(conn, Judged(epoch, batch, [], release=None if known else statement), now)
    index = commit_statement(conn, Kind.DECLARATION, statement)
    if aside:
        mark_released(conn, carrier, device, wanted, index)
    return Released(index, indices_of(conn, wanted))


def _verified(
    conn: Connection[Any], aside: Sequence[AsideBytes], carrier: str, device: str, origin: str
) -> VerifiedBatch:
    """The statements, verified again by the keys that signed them, revoked or not."""
    topic = segment_topic(carrier, device)
    parsed = [parse(Message(topic, one.raw, one.first_at), origin) for one in aside]
    rows = device_keys(conn, [(carrier, device)]).get((carrier, device), [])
    keys = [replace(known_key(row), revoked=False, rotation=None) for row in rows]
    batch = verify_batch(parsed, {(carrier, device): keys})
    if batch.refused:
        raise ReleaseRefused(f"A statement cannot be released: {batch.refused[0].detail}.")
    return batch


def _commit(conn: Connection[Any], judged: Judged, now: datetime) -> None:
    try:
        result = commit(conn, judged, now)
    except KeysMoved:
        raise KeysChanging("Keys are being changed: try again in a moment.") from None
    if result.refused:
        raise ReleaseRefused("A statement cannot be released: another bears its boot and seq.")
    if judged.release is not None and not result.committed:
        raise ReleaseRefused("These statements are in the log already: nothing is to release.")
