"""All SQL by which callers ask the log for leaves: anyone by digest, a reader by subject."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from exchange.access.model import Form, Read
from exchange.access.readable import Readable
from exchange.orgs.model import Caller
from exchange.segments.readable import SignedRow, gaps_about, segments_about
from exchange.transparency.model import LeafRow
from exchange.trips.readable import TripRevision, trips_between
from schemas.kinds import Kind
from schemas.names import org_issuer, parse_issuer

_OF_VEHICLES = (Kind.SEGMENT, Kind.GAP, Kind.TRIP)
"""Kinds that a grant opens; all others are open to who issued them."""

_ABOUT_READER = (Kind.ORG_KEY, Kind.GRANT, Kind.REVOCATION)
"""Kinds whose subject is an organisation, which may see what is said of it."""


@dataclass(frozen=True, slots=True)
class SubjectLeaf:
    """A leaf about a subject that the caller may know of, and the grant that opened it."""

    leaf: LeafRow
    organisation: str
    """The vehicle's carrier, or who signed it."""
    grant_index: int | None


def leaf_with_digest(conn: Connection[Any], digest: bytes, size: int) -> LeafRow | None:
    """The first leaf of a statement with this SHA-256, in a tree of ``size`` leaves."""
    with conn.cursor(row_factory=class_row(LeafRow)) as cursor:
        cursor.execute(
            """
            SELECT index, kind::integer, digest FROM leaf
            WHERE digest = %s AND index < %s ORDER BY index LIMIT 1
            """,
            [digest, size],
        )
        return cursor.fetchone()


def leaves_about(
    conn: Connection[Any],
    caller: Caller,
    now_ms: int,
    subject: str,
    first: int,
    size: int,
    limit: int,
) -> list[SubjectLeaf]:
    """Leaves about a subject among [first, size) that the caller may know of, by index.

    Segments, gaps and trips of a vehicle as the feed gives them; of other kinds what the caller's
    organisation or its devices have signed, and keys, grants and revocations about itself.
    """
    signed = Readable(caller, Form.SEGMENTS, now_ms)
    owners = signed.owners(conn, subject, None)
    readings = segments_about(conn, signed, owners, subject, first, size, limit)
    readings += gaps_about(conn, signed, subject, first, size, limit)
    shaped = Readable(caller, Form.SHAPED, now_ms)
    trips = trips_between(conn, shaped, first, size, limit, vehicle=subject)
    found = [
        *_opened(readings),
        *_opened(trips),
        *_own(conn, caller, subject, first, size, limit),
    ]
    return sorted(found, key=lambda one: one.leaf.index)[:limit]


def reads_of(caller: Caller, subject: str, found: list[SubjectLeaf]) -> list[Read]:
    """Lines of the access log, one for each organisation whose statements are named."""
    reads = []
    for organisation in sorted({one.organisation for one in found}):
        theirs = [one for one in found if one.organisation == organisation]
        grants = {one.grant_index for one in theirs if one.grant_index is not None}
        reads.append(
            Read(
                reader=caller,
                operation="log-records",
                carrier=organisation,
                vehicles=(subject,),
                grants=tuple(sorted(grants)),
                items=len(theirs),
                first_index=theirs[0].leaf.index,
                last_index=theirs[-1].leaf.index,
            )
        )
    return reads


def _opened(rows: Iterable[SignedRow | TripRevision]) -> list[SubjectLeaf]:
    return [
        SubjectLeaf(LeafRow(row.index, _kind(row), row.digest), row.carrier, row.grant_index)
        for row in rows
    ]


def _kind(row: SignedRow | TripRevision) -> int:
    return Kind.TRIP if isinstance(row, TripRevision) else row.kind


def _own(
    conn: Connection[Any], caller: Caller, subject: str, first: int, size: int, limit: int
) -> list[SubjectLeaf]:
    rows = conn.execute(
        """
        SELECT index, kind::integer, digest, issuer FROM statement
        WHERE subject = %(subject)s AND index >= %(first)s AND index < %(size)s
          AND kind <> ALL(%(of_vehicles)s::smallint[])
          AND (issuer = %(own)s OR starts_with(issuer, %(own)s || '/')
               OR (subject = %(reader)s AND kind = ANY(%(about_reader)s::smallint[])))
        ORDER BY index LIMIT %(limit)s
        """,
        {
            "subject": subject,
            "first": first,
            "size": size,
            "limit": limit,
            "own": org_issuer(caller.organisation),
            "reader": caller.organisation,
            "of_vehicles": [int(kind) for kind in _OF_VEHICLES],
            "about_reader": [int(kind) for kind in _ABOUT_READER],
        },
    )
    return [
        SubjectLeaf(LeafRow(index, kind, bytes(digest)), parse_issuer(issuer).org, None)
        for index, kind, digest, issuer in rows
    ]
