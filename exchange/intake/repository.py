"""All SQL of the quarantine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.intake.model import Refused
from exchange.intake.quarantine import Filed, Filing, Keep, Kept, file_refusals
from exchange.intake.verification import Device

_TOTAL: Device = ("", "")
"""The row that counts all devices; no device has an empty name."""


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """How many messages of a device were refused for one reason, and their bytes."""

    carrier: str
    device: str
    reason: str
    messages: int
    bytes: int


def keep_refused(conn: Connection[Any], refusals: Sequence[Refused]) -> None:
    """File refused messages and count them, in the caller's transaction.

    Workers do this one after the other: the row of totals is locked first. A message that is
    delivered again after a crash is the same row, counted again.
    """
    total, kept = _lock_kept(conn, {(one.carrier, one.device) for one in refusals})
    filing = file_refusals(refusals, _known(conn, refusals), kept, total)
    with conn.pipeline(), conn.cursor() as cursor:
        _insert(cursor, [one for one in filing.new if one.keep is not Keep.COUNT])
        _count_again(cursor, filing)
        _save_counts(cursor, refusals)
        _save_kept(cursor, {**filing.kept, _TOTAL: filing.total})


def quarantine_counts(conn: Connection[Any], carrier: str | None = None) -> list[QuarantineCount]:
    """Refused messages by device and reason, of one carrier or of all."""
    with conn.cursor(row_factory=class_row(QuarantineCount)) as cursor:
        cursor.execute(
            """
            SELECT carrier, device, reason, messages, bytes FROM quarantine_count
            WHERE %s::text IS NULL OR carrier = %s ORDER BY carrier, device, reason
            """,
            [carrier, carrier],
        )
        return cursor.fetchall()


def _lock_kept(conn: Connection[Any], devices: set[Device]) -> tuple[Kept, dict[Device, Kept]]:
    conn.execute(
        """
        INSERT INTO quarantine_kept (carrier, device, digests, messages, bytes)
        VALUES ('', '', 0, 0, 0) ON CONFLICT DO NOTHING
        """
    )
    found: dict[Device, Kept] = {}
    for wanted in ({_TOTAL}, devices):
        rows = conn.execute(
            """
            SELECT carrier, device, digests, messages, bytes FROM quarantine_kept
            WHERE (carrier, device) IN (SELECT * FROM unnest(%s::text[], %s::text[])) FOR UPDATE
            """,
            [[carrier for carrier, _ in wanted], [device for _, device in wanted]],
        )
        found |= {(row[0], row[1]): Kept(*row[2:]) for row in rows}
    return found.pop(_TOTAL), found


def _known(conn: Connection[Any], refusals: Sequence[Refused]) -> set[tuple[str, str, bytes]]:
    rows = conn.execute(
        """
        SELECT q.carrier, q.device, q.digest FROM quarantine q
        JOIN unnest(%s::text[], %s::text[], %s::bytea[]) AS wanted(carrier, device, digest)
          USING (carrier, device, digest)
        """,
        [
            [one.carrier for one in refusals],
            [one.device for one in refusals],
            [one.digest for one in refusals],
        ],
    )
    return {(carrier, device, bytes(digest)) for carrier, device, digest in rows}


def _insert(cursor: Any, new: Sequence[Filed]) -> None:
    cursor.executemany(
        """
        INSERT INTO quarantine
            (carrier, device, digest, reason, permanent, detail, boot, seq, size_bytes, raw, times)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            (
                one.refused.carrier,
                one.refused.device,
                one.digest,
                one.refused.reason.value,
                one.refused.permanent,
                one.refused.detail,
                one.refused.identity.boot if one.refused.identity else None,
                one.refused.identity.seq if one.refused.identity else None,
                len(one.refused.message.payload),
                one.refused.message.payload if one.keep is Keep.BYTES else None,
                one.times,
            )
            for one in new
        ],
    )


def _count_again(cursor: Any, filing: Filing) -> None:
    cursor.executemany(
        """
        UPDATE quarantine SET times = times + %s, last_at = clock_timestamp()
        WHERE carrier = %s AND device = %s AND digest = %s
        """,
        [(times, *key) for key, times in filing.again.items()],
    )


def _save_counts(cursor: Any, refusals: Sequence[Refused]) -> None:
    messages: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for one in refusals:
        key = (one.carrier, one.device, one.reason.value)
        messages[key] += 1
        sizes[key] += len(one.message.payload)
    cursor.executemany(
        """
        INSERT INTO quarantine_count AS had (carrier, device, reason, messages, bytes)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (carrier, device, reason) DO UPDATE
        SET messages = had.messages + excluded.messages, bytes = had.bytes + excluded.bytes
        """,
        [(*key, count, sizes[key]) for key, count in sorted(messages.items())],
    )


def _save_kept(cursor: Any, kept: dict[Device, Kept]) -> None:
    cursor.executemany(
        """
        INSERT INTO quarantine_kept (carrier, device, digests, messages, bytes)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (carrier, device) DO UPDATE
        SET digests = excluded.digests, messages = excluded.messages, bytes = excluded.bytes
        """,
        [(*device, one.digests, one.messages, one.bytes) for device, one in sorted(kept.items())],
    )
