"""GET /v1/trips: trips, one trip, and its evidence."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from psycopg import Connection

from exchange.access.model import Form, NoGrant, NotReadable, NotSupported, OutsideWindow, Read
from exchange.access.readable import Readable
from exchange.access.repository import record_reads
from exchange.api.auth import Authenticated
from exchange.api.bodies import Name, Time, VehicleName, ms_of
from exchange.api.context import Context
from exchange.api.pagination import ITEMS_DEFAULT, Cursor, Limit, cursor_at, index_of
from exchange.derive.thresholds import KNOWN
from exchange.segments.endpoints import EVIDENCE_RESPONSE, EVIDENCE_TYPE
from exchange.segments.readable import gaps_at, segments_at
from exchange.segments.signed_bytes import signed_bytes
from exchange.transparency.evidence import Devices, Issuer, assemble
from exchange.transparency.model import Published
from exchange.transparency.newest import newest
from exchange.transparency.repository import statements_of
from exchange.trips.bodies import TripBody, TripList, trip_body
from exchange.trips.readable import TripFilter, TripRow, place_of, trip, trips
from exchange.trips.repository import derived_to
from ledger.evidence.file import CommittedStatement
from ledger.evidence.file import Form as FileForm
from schemas.cose.sign1 import parse
from schemas.kinds import Kind
from schemas.limits import TIME_MS_MAX
from schemas.statements.trip import Provenance, decode

router = APIRouter(prefix="/v1", tags=["trips"])

TripId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The trip's id.")]

_NOT_OPEN = "No trip of this id is open to you: check the id, or ask its carrier for a grant."


@router.get("/trips", summary="Trips that the caller may read", response_model=TripList)
def list_trips(
    exchange: Context,
    caller: Authenticated,
    vehicle: VehicleName | None = None,
    carrier: Name | None = None,
    from_: Annotated[Time | None, Query(alias="from", description="Ended at or after.")] = None,
    to: Annotated[Time | None, Query(description="Started before.")] = None,
    cursor: Cursor = None,
    limit: Limit = ITEMS_DEFAULT,
) -> TripList:
    """Newest revisions by ascending log index; a late change comes again under a new index."""
    readable = Readable(caller, Form.SHAPED, exchange.now_ms())
    wanted = TripFilter(
        vehicle,
        carrier,
        None if from_ is None else ms_of(from_),
        None if to is None else ms_of(to),
    )
    with exchange.connection() as conn:
        size = newest(conn).size
        done = derived_to(conn, size)
        rows = trips(conn, readable, wanted, size, index_of(cursor), limit + 1)
        more = cursor_at(rows.pop().index) if len(rows) > limit else None
        if not rows and vehicle is not None:
            _refuse_closed_vehicle(conn, readable, wanted, vehicle)
        record_reads(conn, _reads(readable, "trips", rows))
    return TripList(items=[trip_body(row) for row in rows], next_cursor=more, derived_to=done)


@router.get("/trips/{id}", summary="One trip", response_model=TripBody)
def get_trip(exchange: Context, caller: Authenticated, id: TripId) -> TripBody:  # noqa: A002
    """Its newest revision."""
    readable = Readable(caller, Form.SHAPED, exchange.now_ms())
    with exchange.connection() as conn:
        row = _readable_trip(conn, readable, bytes.fromhex(id), newest(conn).size)
        record_reads(conn, _reads(readable, "trip", [row]))
    return trip_body(row)


@router.get(
    "/trips/{id}/evidence",
    summary="Evidence of one trip",
    response_class=Response,
    responses=EVIDENCE_RESPONSE,
)
def trip_evidence(
    exchange: Context,
    caller: Authenticated,
    id: TripId,  # noqa: A002 - the name of the path's part
    form: Annotated[
        Literal["trip", "full"],
        Query(description="trip: the signed trip. full: with all that it was derived from."),
    ] = "trip",
) -> Response:
    """A file that haulproof verify checks offline."""
    asked = Form.SEGMENTS if form == "full" else Form.SIGNED
    readable = Readable(caller, asked, exchange.now_ms())
    with exchange.connection() as conn:
        checkpoint = newest(conn)
        row = _readable_trip(conn, readable, bytes.fromhex(id), checkpoint.size)
        if form == "full":
            file = _full(conn, readable, row, checkpoint, exchange.issuer)
        else:
            file = assemble(conn, FileForm.TRIP, [_signed(row)], checkpoint, exchange.issuer)
        record_reads(conn, _reads(readable, f"trip-evidence-{form}", [row]))
    return Response(file, media_type=EVIDENCE_TYPE)


def _readable_trip(conn: Connection[Any], readable: Readable, trip_id: bytes, size: int) -> TripRow:
    """The trip, or why not: to a stranger a foreign trip looks like one that does not exist."""
    row = trip(conn, readable, trip_id, size)
    if row is not None:
        return row
    place = place_of(conn, trip_id, size)
    if place is None:
        raise NoGrant(_NOT_OPEN)
    refusal = readable.why_not(conn, place.carrier, place.vehicle, place.start_ms, place.end_ms)
    raise NoGrant(_NOT_OPEN) if isinstance(refusal, NoGrant) else refusal


def _refuse_closed_vehicle(
    conn: Connection[Any], readable: Readable, wanted: TripFilter, vehicle: str
) -> None:
    """An empty list must not hide that the vehicle is closed to the caller."""
    owners = readable.owners(conn, vehicle, wanted.carrier)
    if readable.reader.organisation in owners:
        return
    meant: list[str | None] = [*owners] or [None]
    refusals = [_closed(conn, readable, wanted, vehicle, owner) for owner in meant]
    if all(refusals):
        raise next(refusal for refusal in refusals if refusal is not None)


def _closed(
    conn: Connection[Any],
    readable: Readable,
    wanted: TripFilter,
    vehicle: str,
    owner: str | None,
) -> NotReadable | None:
    """Why no grant opens any of the time that is asked about; None when one does.

    A window overlaps [from, to) when it covers what is turned around: begun by its end, and not
    over before its start.
    """
    first_ms = wanted.from_ms or 0
    last_ms = TIME_MS_MAX if wanted.to_ms is None else wanted.to_ms
    refusal = readable.why_not(conn, owner, vehicle, last_ms, first_ms)
    return None if isinstance(refusal, NotSupported) else refusal


def _full(
    conn: Connection[Any],
    readable: Readable,
    row: TripRow,
    checkpoint: Published,
    issuer: Issuer,
) -> bytes:
    """The trip with every statement that its derivation read."""
    read = decode(parse(row.raw).payload)
    provenance = read.provenance
    inputs = list(provenance.inputs)
    rows = segments_at(conn, readable, inputs) + gaps_at(conn, readable, inputs)
    if len(rows) < len(inputs):
        raise OutsideWindow(
            "Your grant's window covers the trip but not every statement that it was derived "
            "from: ask for the form trip, or for a wider grant."
        )
    devices = Devices(row.carrier, row.vehicle, frozenset(one.device for one in rows))
    signed = [_signed(row), *_others(conn, provenance), *signed_bytes(conn, rows)]
    return assemble(
        conn,
        FileForm.FULL,
        signed,
        checkpoint,
        issuer,
        devices=devices,
        thresholds=KNOWN[read.content.thresholds].encode(),
    )


def _others(conn: Connection[Any], provenance: Provenance) -> list[CommittedStatement]:
    """The watermark and the bindings that the trip cites."""
    indices = list(provenance.bindings)
    if provenance.watermark is not None:
        indices.append(provenance.watermark[0])
    return [
        CommittedStatement(one.index, one.kind, one.raw)
        for one in (statements_of(conn, indices=indices) if indices else [])
    ]


def _signed(row: TripRow) -> CommittedStatement:
    return CommittedStatement(row.index, Kind.TRIP, row.raw)


def _reads(readable: Readable, operation: str, rows: list[TripRow]) -> list[Read]:
    """One line of the access log for each carrier; one without a carrier when nothing was found."""
    carriers: list[str | None] = [*sorted({row.carrier for row in rows})] or [None]
    return [
        _read(readable, operation, carrier, [row for row in rows if row.carrier == carrier])
        for carrier in carriers
    ]


def _read(readable: Readable, operation: str, carrier: str | None, rows: list[TripRow]) -> Read:
    indices = [row.index for row in rows]
    return Read(
        reader=readable.reader,
        operation=operation,
        carrier=carrier,
        vehicles=tuple(sorted({row.vehicle for row in rows})),
        grants=tuple(sorted({row.grant_index for row in rows if row.grant_index is not None})),
        items=len(rows),
        first_index=min(indices, default=None),
        last_index=max(indices, default=None),
    )
