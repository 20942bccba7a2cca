"""Why something does not verify: stable codes for programs, details for people."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """One cause each; a code is never given another meaning."""

    NO_TRUSTED_LOG_KEY = "no-trusted-log-key"
    WRONG_LOG_KEY = "wrong-log-key"
    BAD_CHECKPOINT = "bad-checkpoint"
    BAD_CHECKPOINT_SIGNATURE = "bad-checkpoint-signature"
    BAD_COSIGNATURE = "bad-cosignature"
    QUORUM_NOT_MET = "quorum-not-met"
    NOT_IN_LOG = "not-in-log"
    MALFORMED_STATEMENT = "malformed-statement"
    TYPE_MISMATCH = "type-mismatch"
    WRONG_ORIGIN = "wrong-origin"
    UNKNOWN_ISSUER = "unknown-issuer"
    WRONG_SUBJECT = "wrong-subject"
    BAD_STATEMENT_SIGNATURE = "bad-statement-signature"
    BAD_KEY_RECORD = "bad-key-record"
    PIN_MISMATCH = "pin-mismatch"
    REVOKED_KEY = "revoked-key"
    ROTATED_KEY = "rotated-key"
    BAD_KEY_STATUS = "bad-key-status"
    UNBOUND_VEHICLE = "unbound-vehicle"
    UNEXPECTED_STATEMENT = "unexpected-statement"
    MISSING_STATEMENT = "missing-statement"
    PROVENANCE_MISMATCH = "provenance-mismatch"
    THRESHOLDS_MISMATCH = "thresholds-mismatch"
    BAD_RECEIPT = "bad-receipt"
    MISSING_TILE = "missing-tile"
    WRONG_TILE = "wrong-tile"


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause, the first case of it, and how many cases there are."""

    code: Code
    detail: str
    count: int


class Findings:
    """Causes in the order in which they were found, each once, however large the file."""

    def __init__(self) -> None:
        self._found: dict[Code, Finding] = {}

    def add(self, code: Code, detail: str) -> None:
        """Note a case."""
        first = self._found.get(code)
        if first is None:
            self._found[code] = Finding(code, detail, 1)
        else:
            self._found[code] = Finding(code, first.detail, first.count + 1)

    def all(self) -> tuple[Finding, ...]:
        """Every cause found."""
        return tuple(self._found.values())
