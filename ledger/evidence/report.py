"""The result of a verification: for programs as JSON, for people as sentences."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.evidence.file import Form
from ledger.evidence.reasons import Finding
from ledger.evidence.signatures import Signed
from ledger.evidence.standing import KeyChange
from schemas.kinds import Kind
from schemas.statements.trip import Trip


@dataclass(frozen=True)
class Report:
    """What was found in a file. ``recomputed`` is filled in by whoever derives the trip again."""

    form: Form
    statements: int
    log_size: int
    log_origin: str
    signers: tuple[tuple[str, str], ...]
    """Issuer of anything that verified, and its suite."""
    witnesses: tuple[str, ...]
    findings: tuple[Finding, ...]
    key_status_size: int | None
    """Tree size up to which the exchange says that no key of the file was revoked."""
    signed: Signed
    """What the keys of the file signed: to be used only when the file is ``verified``."""
    recomputed: bool | None = None

    @property
    def verified(self) -> bool:
        """Whether every step passed."""
        return not self.findings

    @property
    def kind(self) -> str:
        """The form's name: trip, full or segments."""
        return self.form.name.lower()

    @property
    def trip(self) -> Trip | None:
        """The trip of a trip or full file."""
        return self.signed.trips[0][1] if self.signed.trips else None

    def to_json(self) -> dict[str, object]:
        """The fields of ``haulproof verify --json``."""
        return {
            "verified": self.verified,
            "kind": self.kind,
            "statements": self.statements,
            "log_size": self.log_size,
            "log_origin": self.log_origin,
            "signers": [issuer for issuer, _ in self.signers],
            "witnesses": list(self.witnesses),
            "recomputed": self.recomputed,
            "reasons": [str(finding.code) for finding in self.findings],
        }

    def sentences(self) -> list[str]:
        """What a person should know, most important first."""
        return self._refusals() if self.findings else self._assurances()

    def _refusals(self) -> list[str]:
        lines = ["Not verified: do not rely on this file."]
        for finding in self.findings:
            more = f" ({finding.count} cases)" if finding.count > 1 else ""
            lines.append(f"{finding.code}: {finding.detail}{more}.")
        return lines

    def _assurances(self) -> list[str]:
        lines = [
            f"Verified: {_counted(self.statements, 'statement')} in the log {self.log_origin} of "
            f"{_counted(self.log_size, 'leaf', 'leaves')}, under a checkpoint of a log key that "
            "you trust."
        ]
        if self.trip is not None:
            lines.append(_trip_sentence(self.trip))
        if self.form is not Form.TRIP:
            lines.append(_readings_sentence(self.signed))
        names = ", ".join(f"{issuer} ({suite})" for issuer, suite in self.signers)
        lines.append(f"Signed by {names}.")
        lines.append(self._limits_sentence())
        lines += [_change_sentence(change) for change in self.signed.standing.changes]
        lines.append(self._revocation_sentence())
        lines.append(self._witnesses_sentence())
        return lines

    def _witnesses_sentence(self) -> str:
        if not self.witnesses:
            return "Your policy asks for no witness, and none was counted."
        names = ", ".join(self.witnesses)
        return f"The checkpoint was cosigned by {names}: as many witnesses as your policy asks for."

    def _limits_sentence(self) -> str:
        return {
            Form.TRIP: "How the trip was derived is the exchange's word: this form holds no "
            "segments, the full form does.",
            Form.FULL: "The file holds every segment that the trip was derived from; verify with "
            "--recompute derives it again.",
            Form.SEGMENTS: "Each segment is proven; that none in between was left out is not.",
        }[self.form]

    def _revocation_sentence(self) -> str:
        if self.key_status_size is None:
            return "The file does not say whether one of these keys has been revoked."
        what = "nothing else became" if self.signed.standing.changes else "none"
        was = "" if self.signed.standing.changes else " was revoked"
        return (
            f"That {what} of these keys{was} up to leaf {self.key_status_size} is the "
            "exchange's word; a monitor of the log can refute it."
        )


def _change_sentence(change: KeyChange) -> str:
    if change.revoked:
        return (
            f"A key of {change.holder} was revoked at leaf {change.index}: of what it signed, only "
            "what its carrier released came into the log after that."
        )
    return (
        f"A key of {change.holder} was replaced at leaf {change.index}: what it signed and came "
        "into the log after that is listed there."
    )


def _trip_sentence(trip: Trip) -> str:
    content = trip.content
    distances = []
    if content.odometer_m is not None:
        distances.append(f"{content.odometer_m / 1000:.1f} km by odometer")
    if content.gnss_mm is not None:
        distances.append(f"{content.gnss_mm / 1_000_000:.1f} km along its GNSS fixes")
    return (
        f"Trip {content.trip_id.hex()}, revision {trip.provenance.revision}: vehicle "
        f"{content.vehicle} of {content.carrier}, {_moment(content.start[0])} to "
        f"{_moment(content.end[0])}, {' and '.join(distances) or 'distance unknown'}, "
        f"{_counted(len(content.findings), 'finding')}."
    )


def _readings_sentence(signed: Signed) -> str:
    times = [reading.at_ms for reading in signed.readings]
    segments = sum(reading.kind is Kind.SEGMENT for reading in signed.readings)
    gaps = len(times) - segments
    return (
        f"{_counted(segments, 'segment')} and {_counted(gaps, 'gap')} signed on the truck, begun "
        f"from {_moment(min(times))} to {_moment(max(times))}."
        if times
        else "No segment was read."
    )


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _moment(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
