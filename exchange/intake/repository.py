"""All SQL of the quarantine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.intake.model import Refused
from exchange.intake.quarantine import Filed, Filing, Keep, Kept, file_refusals, less, room_lacking
from exchange.intake.verification import Device
from schemas.errors import Reason

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


@dataclass(frozen=True, slots=True)
class Aside:
    """A statement of a revoked key, kept aside for its carrier to release or not."""

    digest: bytes
    boot: bytes
    seq: int
    size_bytes: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class AsideBytes:
    """The bytes of such a statement, and when they first came."""

    raw: bytes
    first_at: datetime


_ASIDE = """
    FROM quarantine
    WHERE carrier = %(carrier)s AND device = %(device)s AND reason = %(reason)s
      AND raw IS NOT NULL AND boot IS NOT NULL AND released_index IS NULL
"""
_ASIDE_ORDER = "ORDER BY boot, seq, digest"


def list_aside(conn: Connection[Any], carrier: str, device: str) -> list[Aside]:
    """What of a device's revoked keys can be released, by boot and seq, without the bytes.

    As many at most as the quarantine keeps bytes of (``quarantine.DEVICE_MESSAGES_MAX``).
    """
    with conn.cursor(row_factory=class_row(Aside)) as cursor:
        cursor.execute(
            f"SELECT digest, boot, seq, size_bytes, first_at {_ASIDE} {_ASIDE_ORDER}",
            _of_revoked(carrier, device),
        )
        return cursor.fetchall()


def kept_aside(
    conn: Connection[Any], carrier: str, device: str, digests: Sequence[bytes]
) -> list[AsideBytes]:
    """Those of these statements that can be released, by boot and seq."""
    with conn.cursor(row_factory=class_row(AsideBytes)) as cursor:
        cursor.execute(
            f"SELECT raw, first_at {_ASIDE} AND digest = ANY(%(digests)s) {_ASIDE_ORDER}",
            {**_of_revoked(carrier, device), "digests": list(digests)},
        )
        return cursor.fetchall()


def _of_revoked(carrier: str, device: str) -> dict[str, Any]:
    return {"carrier": carrier, "device": device, "reason": Reason.REVOKED_KEY.value}


def mark_released(
    conn: Connection[Any], carrier: str, device: str, digests: Sequence[bytes], index: int
) -> None:
    """Say which release let these out; their bytes are records now, and no longer kept here."""
    total, kept = _lock_kept(conn, {(carrier, device)})
    rows = conn.execute(
        """
        UPDATE quarantine SET raw = NULL, released_index = %s
        WHERE carrier = %s AND device = %s AND digest = ANY(%s) AND raw IS NOT NULL
        RETURNING size_bytes
        """,
        [index, carrier, device, list(digests)],
    )
    sizes = [size_bytes for (size_bytes,) in rows]
    with conn.cursor() as cursor:
        of_device = less(kept[carrier, device], sizes)
        _save_kept(cursor, {(carrier, device): of_device, _TOTAL: less(total, sizes)})


def keep_refused(conn: Connection[Any], refusals: Sequence[Refused]) -> None:
    """File refused messages and count them, in the caller's transaction.

    Workers do this one after the other: the row of totals is locked first. A message that is
    delivered again after a crash is the same row, counted again.
    """
    total, kept = _lock_kept(conn, {(one.carrier, one.device) for one in refusals})
    known = _known(conn, refusals)
    bare = {key for key, lacks_bytes in known.items() if lacks_bytes}
    total = _make_room(
        conn, refusals, room_lacking(refusals, known, kept, total, bare), kept, total
    )
    filing = file_refusals(refusals, set(known), kept, total, bare)
    with conn.pipeline(), conn.cursor() as cursor:
        _insert(cursor, [one for one in filing.new if one.keep is not Keep.COUNT])
        _count_again(cursor, filing)
        _keep_bytes(cursor, filing)
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


def _known(
    conn: Connection[Any], refusals: Sequence[Refused]
) -> dict[tuple[str, str, bytes], bool]:
    """Those that have a row, and whether it lacks bytes that a carrier may yet want released."""
    rows = conn.execute(
        """
        SELECT q.carrier, q.device, q.digest,
               q.raw IS NULL AND q.released_index IS NULL AND NOT q.permanent
        FROM quarantine q
        JOIN unnest(%s::text[], %s::text[], %s::bytea[]) AS wanted(carrier, device, digest)
          USING (carrier, device, digest)
        """,
        [
            [one.carrier for one in refusals],
            [one.device for one in refusals],
            [one.digest for one in refusals],
        ],
    )
    return {(carrier, device, bytes(digest)): bare for carrier, device, digest, bare in rows}


def _make_room(
    conn: Connection[Any],
    refusals: Sequence[Refused],
    lacking: tuple[dict[Device, int], int],
    kept: dict[Device, Kept],
    total: Kept,
) -> Kept:
    """Let go of bytes that nobody can release; changes ``kept``, returns the new total.

    What comes again in this very batch is spared: it is judged anew.
    """
    of_devices, size_bytes = lacking
    coming = [one.digest for one in refusals]
    for device, messages in of_devices.items():
        freed = _let_go(conn, coming, device=device, messages=messages).get(device, [])
        kept[device] = less(kept.get(device, Kept()), freed)
        total = less(total, freed)
        size_bytes -= sum(freed)
    if size_bytes > 0:
        by_device = _let_go(conn, coming, size_bytes=size_bytes)
        kept |= _lock_kept(conn, set(by_device) - set(kept))[1]
        for device, freed in by_device.items():
            kept[device], total = less(kept[device], freed), less(total, freed)
    return total


def _let_go(
    conn: Connection[Any],
    spared: Sequence[bytes],
    *,
    device: Device | None = None,
    messages: int | None = None,
    size_bytes: int | None = None,
) -> dict[Device, list[int]]:
    """Sizes, by device, of the oldest bytes that were let go: so many messages, or bytes."""
    rows = conn.execute(
        """
        WITH oldest AS (
            SELECT carrier, device, digest,
                   row_number() OVER age AS place, sum(size_bytes) OVER age - size_bytes AS before
            FROM quarantine
            WHERE raw IS NOT NULL AND reason <> %(kept_reason)s AND NOT digest = ANY(%(spared)s)
              AND (%(carrier)s::text IS NULL OR (carrier = %(carrier)s AND device = %(device)s))
            WINDOW age AS (ORDER BY last_at, carrier, device, digest
                           ROWS UNBOUNDED PRECEDING)
        )
        UPDATE quarantine q SET raw = NULL FROM oldest o
        WHERE (q.carrier, q.device, q.digest) = (o.carrier, o.device, o.digest)
          AND (%(messages)s::bigint IS NULL OR o.place <= %(messages)s)
          AND (%(size_bytes)s::bigint IS NULL OR o.before < %(size_bytes)s)
        RETURNING q.carrier, q.device, q.size_bytes
        """,
        {
            "kept_reason": Reason.REVOKED_KEY.value,
            "spared": list(spared),
            "carrier": device[0] if device else None,
            "device": device[1] if device else None,
            "messages": messages,
            "size_bytes": size_bytes,
        },
    )
    freed: dict[Device, list[int]] = {}
    for carrier, name, size in rows:
        freed.setdefault((carrier, name), []).append(size)
    return freed


def _insert(cursor: Any, new: Sequence[Filed]) -> None:
    cursor.executemany(
        """
        INSERT INTO quarantine
            (carrier, device, digest, reason, permanent, detail, boot, seq, size_bytes, raw, times)
        VALUES (%(carrier)s, %(device)s, %(digest)s, %(reason)s, %(permanent)s, %(detail)s,
                %(boot)s, %(seq)s, %(size_bytes)s, %(raw)s, %(times)s)
        """,
        [
            {
                **_verdict(one.refused),
                "digest": one.digest,
                "size_bytes": len(one.refused.message.payload),
                "raw": one.refused.message.payload if one.keep is Keep.BYTES else None,
                "times": one.times,
            }
            for one in new
        ],
    )


def _count_again(cursor: Any, filing: Filing) -> None:
    """Count them, and let the newest verdict stand, unless an older one is final or knew more."""
    cursor.executemany(
        """
        UPDATE quarantine SET times = times + %s, last_at = clock_timestamp()
        WHERE carrier = %s AND device = %s AND digest = %s
        """,
        [(times, *key) for key, (_, times) in filing.again.items()],
    )
    cursor.executemany(
        """
        UPDATE quarantine
        SET reason = %(reason)s, permanent = %(permanent)s, detail = %(detail)s,
            boot = %(boot)s, seq = %(seq)s
        WHERE carrier = %(carrier)s AND device = %(device)s AND digest = %(digest)s
          AND released_index IS NULL AND NOT permanent
          AND (boot IS NULL OR %(boot)s::bytea IS NOT NULL)
        """,
        [{"digest": digest, **_verdict(one)} for (_, _, digest), (one, _) in filing.again.items()],
    )


def _verdict(one: Refused) -> dict[str, Any]:
    return {
        "carrier": one.carrier,
        "device": one.device,
        "reason": one.reason.value,
        "permanent": one.permanent,
        "detail": one.detail,
        "boot": one.identity.boot if one.identity else None,
        "seq": one.identity.seq if one.identity else None,
    }


def _keep_bytes(cursor: Any, filing: Filing) -> None:
    cursor.executemany(
        "UPDATE quarantine SET raw = %s WHERE carrier = %s AND device = %s AND digest = %s",
        [(raw, *key) for key, raw in filing.bytes_again.items()],
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
