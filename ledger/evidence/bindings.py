"""Whether each device sat in its vehicle when it spoke of it, by the carrier's word."""

from collections.abc import Iterable

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


def _is_bound(reading: Reading, records: Iterable[Binding]) -> bool:
    for record in records:
        if record.covers(reading.at_ms):
            return True
        if reading.at_ms < record.from_ms <= _last_ms(reading):
            return True
    return False


def _last_ms(reading: Reading) -> int:
    """The reading's last moment; its first one where that cannot be read."""
    try:
        if reading.kind is Kind.GAP:
            return gap.decode(reading.payload).to_ms
        return reading.at_ms + sample_offsets_ms(read_segment(reading.payload).block)[-1]
    except StatementRefused:
        return reading.at_ms
