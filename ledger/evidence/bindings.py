"""Whether each device sat in its vehicle when it spoke of it, by the carrier's word."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import inf

from ledger.evidence.reasons import Code, Findings
from ledger.evidence.signatures import Reading, Signed
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.samples import sample_offsets_ms
from schemas.segment import read_segment
from schemas.statements import gap
from schemas.statements.binding import Binding


class _Times:
    """When a device sat in a vehicle, by all its bindings; made for asking often."""

    def __init__(self, records: Sequence[Binding]) -> None:
        ordered = sorted(records, key=lambda record: record.from_ms)
        self._starts = [record.from_ms for record in ordered]
        ends = (inf if record.to_ms is None else record.to_ms for record in ordered)
        self._latest_ends = list(accumulate(ends, max))

    def meet(self, begin_ms: int, end_ms: int) -> bool:
        """Whether a binding meets the time from begin to end, both included."""
        begun = bisect_right(self._starts, end_ms)
        return begun > 0 and begin_ms < self._latest_ends[begun - 1]


def check_bindings(signed: Signed, findings: Findings) -> None:
    """Every segment and gap meets, in time, a binding of its device to its vehicle."""
    records: dict[tuple[str, str, str], list[Binding]] = {}
    for _, carrier, record in signed.bindings:
        records.setdefault((carrier, record.device, record.vehicle), []).append(record)
    times = {named: _Times(bound) for named, bound in records.items()}
    for reading in signed.readings:
        bound = times.get((reading.carrier, reading.device, reading.vehicle))
        if bound is None or not (
            bound.meet(reading.at_ms, reading.at_ms) or bound.meet(*_span(reading))
        ):
            findings.add(
                Code.UNBOUND_VEHICLE,
                f"statement {reading.index}: no binding in the file puts device "
                f"{reading.carrier}/{reading.device} into {reading.vehicle} at that time",
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
