"""Derive a signed trip again, from the statements of its evidence file alone."""

from collections.abc import Iterable
from typing import NoReturn

from exchange.derive.inputs import Bound, DeviceSegment, gather
from exchange.derive.thresholds import KNOWN
from exchange.derive.trips import VERSION, Vehicle, derive_trips
from schemas.cose.sign1 import Statement
from schemas.errors import StatementRefused
from schemas.kinds import TYPE_TEXT, Kind
from schemas.names import org_issuer, parse_issuer
from schemas.segment import read_segment
from schemas.statements import binding, device_key
from schemas.statements.trip import Trip
from schemas.statements.trip_content import TripContent


class NotRecomputable(ValueError):
    """The trip can't be derived again from what is here; the text says why."""


def recompute(trip: Trip, statements: Iterable[Statement]) -> bytes:
    """The digest of the content that these statements give; the caller compares it.

    Reads segments, bindings and device keys of the trip's carrier, whose signatures the caller has
    checked; other statements are passed over. Raises ``NotRecomputable``.
    """
    return recompute_content(trip, statements).digest


def recompute_content(trip: Trip, statements: Iterable[Statement]) -> TripContent:
    """The content itself, to show where it differs; as ``recompute``."""
    content = trip.content
    limits = KNOWN.get(content.thresholds)
    if content.derivation != VERSION or limits is None:
        _refuse("the trip follows rules or thresholds that this version does not have")
    segments, bounds, levels = _read(statements, content)
    try:
        inputs = gather(segments, bounds).clipped(*content.window)
    except StatementRefused as refused:
        raise NotRecomputable(f"a segment cannot be read: {refused.detail}") from None
    if not len(inputs.samples):
        _refuse("no sample of the trip's window is here: a trip file holds no segments")
    missing = [device for device in inputs.devices if device not in levels]
    if missing:
        _refuse(f"the device key of {missing[0]} is not here")
    vehicle = Vehicle(content.carrier, content.vehicle, inputs.assurance(levels))
    found = derive_trips(inputs.samples, inputs.events, vehicle, limits).trips
    if not found:
        _refuse("the samples of the trip's window give no trip")
    return found[0]


def _read(
    statements: Iterable[Statement], content: TripContent
) -> tuple[list[DeviceSegment], list[Bound], dict[str, int]]:
    segments: list[DeviceSegment] = []
    bounds: list[Bound] = []
    levels: dict[str, int] = {}
    carrier = org_issuer(content.carrier)
    for statement in statements:
        header = statement.header
        issuer = parse_issuer(header.issuer)
        of_vehicle = header.subject == content.vehicle
        if issuer.org != content.carrier:
            continue
        try:
            if header.type == TYPE_TEXT[Kind.SEGMENT] and issuer.device and of_vehicle:
                segments.append(DeviceSegment(issuer.device, read_segment(statement.payload)))
            elif header.type == TYPE_TEXT[Kind.BINDING] and header.issuer == carrier and of_vehicle:
                bound = binding.decode(statement.payload)
                bounds.append(Bound(bound.device, bound.from_ms, bound.to_ms))
            elif header.type == TYPE_TEXT[Kind.DEVICE_KEY] and header.issuer == carrier:
                key = device_key.decode(statement.payload, header.origin)
                levels[key.device] = max(key.assurance, levels.get(key.device, 0))
        except StatementRefused as refused:
            raise NotRecomputable(f"a statement cannot be read: {refused.detail}") from None
    return segments, bounds, levels


def _refuse(why: str) -> NoReturn:
    raise NotRecomputable(why)
