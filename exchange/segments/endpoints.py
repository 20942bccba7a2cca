"""GET /v1/segments/evidence: what a vehicle's devices signed in a time, provable offline."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import Connection

from exchange.access.model import Form, Read
from exchange.access.readable import Readable
from exchange.access.repository import record_reads
from exchange.api.auth import Authenticated
from exchange.api.bodies import Name, Time, VehicleName, ms_of, time_of
from exchange.api.context import Context
from exchange.segments.readable import (
    SignedRow,
    gaps_in,
    segments_in,
)
from exchange.segments.refusals import AmbiguousVehicle, NothingThere, RangeTooLarge
from exchange.segments.signed_bytes import signed_bytes
from exchange.transparency.evidence import Devices, assemble
from exchange.transparency.newest import newest
from ledger.evidence.file import Form as FileForm

router = APIRouter(prefix="/v1", tags=["segments"])

STATEMENTS_MAX = 10_000
BYTES_MAX = 16_777_216
EVIDENCE_TYPE = "application/octet-stream"
EVIDENCE_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An evidence file",
        "content": {EVIDENCE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "/segments/evidence",
    summary="Evidence of a vehicle's segments",
    response_class=Response,
    responses=EVIDENCE_RESPONSE,
)
def evidence(
    exchange: Context,
    caller: Authenticated,
    vehicle: VehicleName,
    from_: Annotated[Time, Query(alias="from", description="Inclusive, with its zone.")],
    to: Annotated[Time, Query(description="Exclusive, with its zone.")],
    carrier: Annotated[Name | None, Query(description="Where two carriers have it.")] = None,
) -> Response:
    """Needs what the full form of a trip needs: exact position, vehicle identity, all fields."""
    readable = Readable(caller, Form.SEGMENTS, exchange.now_ms())
    span_ms = (ms_of(from_), ms_of(to))
    with exchange.connection() as conn:
        owner = only_owner(conn, readable, vehicle, carrier, span_ms)
        checkpoint = newest(conn)
        rows = _rows(conn, readable, owner, vehicle, span_ms, checkpoint.size)
        names = frozenset(row.device for row in rows)
        file = assemble(
            conn,
            FileForm.SEGMENTS,
            signed_bytes(conn, rows),
            checkpoint,
            exchange.issuer,
            devices=Devices(owner, vehicle, names),
        )
        record_reads(conn, [read_of(readable, "segments-evidence", owner, vehicle, rows)])
    return Response(file, media_type=EVIDENCE_TYPE)


def only_owner(
    conn: Connection[Any],
    readable: Readable,
    vehicle: str,
    carrier: str | None,
    span_ms: tuple[int, int],
) -> str:
    """The one carrier whose vehicle is meant; ``AmbiguousVehicle`` or the refusal of the read."""
    owners = readable.owners(conn, vehicle, carrier)
    if not owners:
        raise readable.why_not(conn, carrier, vehicle, *span_ms)
    if len(owners) > 1:
        raise AmbiguousVehicle(
            f"{' and '.join(owners)} each have a vehicle {vehicle}: add carrier=NAME."
        )
    return owners[0]


def _rows(
    conn: Connection[Any],
    readable: Readable,
    carrier: str,
    vehicle: str,
    span_ms: tuple[int, int],
    size: int,
) -> list[SignedRow]:
    limit = STATEMENTS_MAX + 1
    segments = segments_in(conn, readable, carrier, vehicle, span_ms, size, limit)
    if not segments:
        raise _nothing(conn, readable, carrier, vehicle, span_ms, size)
    rows = segments + gaps_in(conn, readable, carrier, vehicle, span_ms, size, limit)
    rows.sort(key=lambda row: (row.start_ms, row.index))
    _check_size(rows)
    return rows


def _check_size(rows: list[SignedRow]) -> None:
    """``RangeTooLarge``, with the time up to which the answer would fit."""
    held_bytes = 0
    for count, row in enumerate(rows):
        held_bytes += row.size_bytes
        if count >= STATEMENTS_MAX or held_bytes > BYTES_MAX:
            raise RangeTooLarge(
                f"One answer holds at most {STATEMENTS_MAX} statements and {BYTES_MAX} bytes: "
                f"ask up to to={time_of(row.start_ms)}, then from there on."
            )


def _nothing(
    conn: Connection[Any],
    readable: Readable,
    carrier: str,
    vehicle: str,
    span_ms: tuple[int, int],
    size: int,
) -> Exception:
    """Only who may read the whole time learns that there is nothing in it."""
    own = carrier == readable.reader.organisation
    if not own and not readable.allows(conn, carrier, vehicle, *span_ms):
        return readable.why_not(conn, carrier, vehicle, *span_ms)
    return NothingThere(f"{vehicle} has no committed segment in that time that is open to you.")


def read_of(
    readable: Readable, operation: str, carrier: str, vehicle: str, rows: list[SignedRow]
) -> Read:
    """The line of the access log for signed rows of one vehicle."""
    indices = [row.index for row in rows]
    grants = sorted({row.grant_index for row in rows if row.grant_index is not None})
    return Read(
        reader=readable.reader,
        operation=operation,
        carrier=carrier,
        vehicles=(vehicle,),
        grants=tuple(grants),
        items=len(rows),
        first_index=min(indices, default=None),
        last_index=max(indices, default=None),
    )
