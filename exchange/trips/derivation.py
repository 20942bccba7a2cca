"""One vehicle's trips brought up to date: read, derive, sign and commit in one transaction.

A crash before the commit leaves the vehicle pending, and the same trips are derived again; after
it, deriving again finds every content committed and changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from exchange.derive.continuity import Link
from exchange.derive.inputs import Bound, DeviceSegment, gather
from exchange.derive.thresholds import CURRENT
from exchange.derive.trips import Derivation, derive_trips
from exchange.derive.trips import Vehicle as DerivedVehicle
from exchange.devices.repository import BindingRow, bindings_of_vehicle
from exchange.transparency.repository import commit_statement, statements_of
from exchange.trips import repository
from exchange.trips.model import (
    Change,
    Pending,
    Statement,
    TooManyInputs,
    Vehicle,
    changes,
    provenance_of,
)
from schemas.cose import sign1
from schemas.cose.keys import Signer
from schemas.errors import Reason, StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.limits import SALT_BYTES
from schemas.names import device_issuer, org_issuer
from schemas.segment import Segment, read_segment
from schemas.statements import device_key, gap
from schemas.statements.trip import Trip

SEGMENTS_MAX = 2_000
"""Segments read at a time; more only when a trip that has not ended needs them."""

_AHEAD_MS = 86_400_000
"""A clock that is ahead by more would end the open trip with every segment anew."""


@dataclass(frozen=True, slots=True)
class Notary:
    """The exchange as it signs trips; ``random`` gives n bytes of salt, ``now_ms`` UTC."""

    organisation: str
    origin: str
    signer: Signer
    random: Callable[[int], bytes]
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What deriving a vehicle did: trips committed, segments left out, trips that could not be."""

    committed: int
    unbound: int
    ahead: int
    """Segments of a time that has not come yet."""
    refused: tuple[str, ...]
    """Why a trip could not be committed."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some of a vehicle's segments in the order of time, whole up to ``until_ms`` (None: all)."""

    rows: list[repository.SegmentRow]
    segments: list[Segment]
    until_ms: int | None
    ahead: int


def derive_vehicle(
    conn: Connection[Any], notary: Notary, pending: Pending, segments_max: int = SEGMENTS_MAX
) -> Outcome:
    """Derive and commit until nothing is pending; each piece is a transaction of its own.

    ``conn`` is in autocommit mode. Raises ``StatementRefused`` for a segment that cannot be read.
    """
    committed, unbound, ahead = 0, 0, 0
    refused: list[str] = []
    while True:
        with conn.transaction():
            resume_ms = repository.resume_from(conn, pending)
            piece, found, outcome = _derive_piece(conn, notary, pending, resume_ms, segments_max)
            stuck = piece.until_ms is not None and found.settled_ms is None
            if not stuck:
                repository.settle_pending(conn, pending.vehicle, piece.until_ms)
        committed += outcome.committed
        unbound += outcome.unbound
        ahead += outcome.ahead
        refused.extend(outcome.refused)
        if piece.until_ms is None:
            return Outcome(committed, unbound, ahead, tuple(refused))
        if stuck:
            segments_max *= 4
        else:
            pending = Pending(pending.vehicle, piece.until_ms + 1)


def _derive_piece(
    conn: Connection[Any], notary: Notary, pending: Pending, resume_ms: int, segments_max: int
) -> tuple[_Piece, Derivation, Outcome]:
    vehicle = pending.vehicle
    piece = _read(conn, vehicle, resume_ms, segments_max, notary.now_ms() + _AHEAD_MS)
    bindings = bindings_of_vehicle(conn, vehicle.carrier, vehicle.pseudonym)
    bounds = [Bound(one.device, one.from_ms, one.to_ms) for one in bindings]
    inputs = gather(
        [
            DeviceSegment(row.device, one)
            for row, one in zip(piece.rows, piece.segments, strict=True)
        ],
        bounds,
    )
    levels = _assurance(conn, vehicle.carrier, inputs.devices)
    whole = inputs.clipped(resume_ms + 1, _latest(piece))
    found = derive_trips(
        whole.samples,
        whole.events,
        DerivedVehicle(vehicle.carrier, vehicle.pseudonym, inputs.assurance(levels)),
        CURRENT,
    )
    if found.settled_ms is not None and found.judged_ms is not None:
        repository.save_settled(conn, vehicle, found.settled_ms, found.judged_ms)
    known = repository.known_trips(conn, vehicle, resume_ms)
    revisions = repository.revisions(conn, [trip.trip_id for trip in found.trips])
    news = changes(found.trips, known, revisions)
    statements = _statements(conn, vehicle, piece, bounds) if news else []
    refused = []
    for change in news:
        try:
            _commit(conn, notary, change, statements, bindings)
        except TooManyInputs as reason:
            refused.append(str(reason))
    return (
        piece,
        found,
        Outcome(len(news) - len(refused), inputs.unbound, piece.ahead, tuple(refused)),
    )


def _read(
    conn: Connection[Any], vehicle: Vehicle, after_ms: int, limit: int, latest_ms: int
) -> _Piece:
    found = repository.segments_since(conn, vehicle, after_ms, limit)
    rows = [row for row in found if row.t0 <= latest_ms]
    until_ms = None
    if len(rows) == limit:  # samples up to the last first sample are all here
        until_ms = rows[-1].t0 - 1
    segments = [read_segment(sign1.parse(row.raw).payload) for row in rows]
    return _Piece(rows, segments, until_ms, len(found) - len(rows))


def _latest(piece: _Piece) -> int:
    if piece.until_ms is not None:
        return piece.until_ms
    latest = max((row.t_end for row in piece.rows), default=0)
    events = (
        row.t0 + event.offset_ms
        for row, segment in zip(piece.rows, piece.segments, strict=True)
        for event in segment.events
    )
    return max([latest, *events])


def _assurance(conn: Connection[Any], carrier: str, devices: Sequence[str]) -> dict[str, int]:
    levels: dict[str, int] = {}
    for raw in repository.assurance_records(conn, carrier, devices):
        statement = sign1.parse(raw)
        key = device_key.decode(statement.payload, statement.header.origin)
        levels[key.device] = max(key.assurance, levels.get(key.device, 0))
    missing = [device for device in devices if device not in levels]
    if missing:
        raise StatementRefused(Reason.UNKNOWN_KEY, f"device {missing[0]} has no key record")
    return levels


def _statements(
    conn: Connection[Any], vehicle: Vehicle, piece: _Piece, bounds: Sequence[Bound]
) -> list[Statement]:
    """Segments and gaps as provenance names them."""
    found = []
    for row, segment in zip(piece.rows, piece.segments, strict=True):
        events = [row.t0 + event.offset_ms for event in segment.events]
        begin, end = min([row.t0, *events]), max([row.t_end, *events])
        link = Link(
            row.index, row.device, segment.boot, segment.seq, segment.prev, row.digest, begin
        )
        is_input = not row.driver_class and _is_bound(bounds, row.device, begin, end)
        found.append(Statement(link, end, row.flags, is_input))
    first = min((row.index for row in piece.rows), default=0)
    for device in sorted({row.device for row in piece.rows}):
        for one in statements_of(
            conn,
            kinds=[Kind.GAP],
            subject=vehicle.pseudonym,
            issuer=device_issuer(vehicle.carrier, device),
            after=first - 1,
        ):
            read = gap.decode(sign1.parse(one.raw).payload)
            link = Link(one.index, device, read.boot, read.seq, read.prev, one.digest, read.from_ms)
            is_input = _is_bound(bounds, device, read.from_ms, read.to_ms)
            found.append(Statement(link, read.to_ms, 0, is_input))
    return found


def _is_bound(bounds: Sequence[Bound], device: str, from_ms: int, to_ms: int) -> bool:
    return any(
        one.device == device and one.from_ms <= to_ms and (one.to_ms is None or from_ms < one.to_ms)
        for one in bounds
    )


def _commit(
    conn: Connection[Any],
    notary: Notary,
    change: Change,
    statements: Sequence[Statement],
    bindings: Sequence[BindingRow],
) -> None:
    begin, end = change.content.window
    devices = {one.link.device for one in statements if one.is_input}
    cited = [
        one.index
        for one in bindings
        if one.device in devices and one.from_ms <= end and (one.to_ms is None or begin < one.to_ms)
    ]
    provenance = provenance_of(change, statements, cited)
    raw = sign1.sign(
        notary.signer,
        issuer=org_issuer(notary.organisation),
        subject=change.content.vehicle,
        origin=notary.origin,
        type_text=TYPE_TEXT[Kind.TRIP],
        payload=Trip(change.content, provenance, notary.random(SALT_BYTES)).encode(),
    )
    index = commit_statement(conn, Kind.TRIP, sign1.parse(raw))
    repository.insert_trip(conn, index, change, max(provenance.inputs, default=0))
