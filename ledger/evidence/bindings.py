"""Whether each device sat in its vehicle when it spoke of it, by the carrier's word."""

from collections.abc import Sequence

from ledger.evidence.reasons import Code, Findings
from ledger.evidence.signatures import Reading, Signed
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.segment import read_segment, sample_offsets_ms
from schemas.statements import gap
from schemas.statements.binding import Binding


def check_bindings(signed: Signed, findings: Findings) -> None:
    """Every segment and gap meets, in time, a binding of its device to its vehicle."""
    known: dict[tuple[str, str, str], list[Binding]] = {}
    for _, carrier, record in signed.bindings:
        known.setdefault((carrier, record.device, record.vehicle), []).append(record)
    for reading in signed.readings:
        records = known.get((reading.carrier, reading.device, reading.vehicle), [])
        if not _is_bound(reading, records):
            findings.add(
                Code.UNBOUND_VEHICLE,
                f"statement {reading.index}: no binding in the file puts device "
                f"{reading.carrier}/{reading.device} into {reading.vehicle} at that time",
            )


def _is_bound(reading: Reading, records: Sequence[Binding]) -> bool:
    if any(record.covers(reading.at_ms) for record in records):
        return True
    begin, end = _span(reading)
    return any(
        record.from_ms <= end and (record.to_ms is None or begin < record.to_ms)
        for record in records
    )


def _span(reading: Reading) -> tuple[int, int]:
    """First and last moment of samples and events, or of a gap; t0 alone where unreadable."""
    try:
        if reading.kind is Kind.GAP:
            return reading.at_ms, gap.decode(reading.payload).to_ms
        segment = read_segment(reading.payload)
        offsets = [0, sample_offsets_ms(segment.block)[-1]]
    except StatementRefused:
        return reading.at_ms, reading.at_ms
    offsets += [event.offset_ms for event in segment.events]
    return reading.at_ms + min(offsets), reading.at_ms + max(offsets)
