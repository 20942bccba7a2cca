"""What has to be in a file of each form, and that nothing else is."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from ledger.evidence.file import Evidence, Form
from ledger.evidence.reasons import Code, Findings
from ledger.evidence.signatures import Reading, ReadStatement, Signed
from schemas.kinds import Kind
from schemas.statements.trip import Trip

_READINGS = (Kind.SEGMENT, Kind.GAP)
_KEYS = (Kind.ORG_KEY, Kind.DEVICE_KEY, Kind.BINDING, Kind.REVOCATION, Kind.DECLARATION)
_ALLOWED = {
    Form.TRIP: {Kind.TRIP, Kind.ORG_KEY},
    Form.FULL: {Kind.TRIP, *_KEYS, *_READINGS},
    Form.SEGMENTS: {*_KEYS, *_READINGS},
}


def check_form(
    evidence: Evidence, read: Sequence[ReadStatement], signed: Signed, findings: Findings
) -> None:
    """The rules of the file's form."""
    allowed = _ALLOWED[evidence.form]
    for one in read:
        if one.kind not in allowed:
            findings.add(
                Code.UNEXPECTED_STATEMENT,
                f"{one.name} has no place in a file of the form {evidence.form.name.lower()}",
            )
    if evidence.thresholds and evidence.form is not Form.FULL:
        findings.add(Code.UNEXPECTED_STATEMENT, "thresholds belong in the full form only")
    counts = Counter(one.kind for one in read)
    if evidence.form is Form.SEGMENTS:
        _check_segments(counts, signed.readings, findings)
    elif counts[Kind.TRIP] != 1:
        code = Code.UNEXPECTED_STATEMENT if counts[Kind.TRIP] else Code.MISSING_STATEMENT
        findings.add(code, f"the file holds {counts[Kind.TRIP]} trips, not one")
    elif evidence.form is Form.FULL and signed.trips:
        _check_provenance(evidence, signed.trips[0][1], signed, findings)


def _check_segments(counts: Counter[Kind], readings: Sequence[Reading], findings: Findings) -> None:
    if not any(counts[kind] for kind in _READINGS):
        findings.add(Code.MISSING_STATEMENT, "the file holds no segment")
    if len({(reading.carrier, reading.vehicle) for reading in readings}) > 1:
        findings.add(Code.UNEXPECTED_STATEMENT, "the file holds segments of several vehicles")


def _check_provenance(evidence: Evidence, record: Trip, signed: Signed, findings: Findings) -> None:
    provenance = record.provenance
    if tuple(reading.index for reading in signed.readings) != provenance.inputs:
        findings.add(
            Code.PROVENANCE_MISMATCH,
            "the segments and gaps of the file are not those that the trip was derived from",
        )
    elif not provenance.matches([reading.digest for reading in signed.readings]):
        findings.add(
            Code.PROVENANCE_MISMATCH, "the trip was derived from other segments at these indices"
        )
    if not set(provenance.bindings) <= {index for index, _, _ in signed.bindings}:
        findings.add(Code.PROVENANCE_MISMATCH, "a binding that the trip cites is not in the file")
    indices = {statement.index for statement in evidence.statements}
    if provenance.watermark is not None and provenance.watermark[0] not in indices:
        findings.add(Code.PROVENANCE_MISMATCH, "the watermark that ended the trip is not there")
    content = record.content
    if any(
        (reading.carrier, reading.vehicle) != (content.carrier, content.vehicle)
        for reading in signed.readings
    ):
        findings.add(Code.PROVENANCE_MISMATCH, "the trip and a segment are of different vehicles")
    if sha256(evidence.thresholds).digest() != content.thresholds:
        findings.add(
            Code.THRESHOLDS_MISMATCH, "the trip was derived with other thresholds than the file's"
        )
