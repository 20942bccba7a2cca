"""The one error family for signed bytes that come from outside."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a statement is refused; the text is a stable code for callers, metrics and refusals."""

    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    UNSUPPORTED = "unsupported"
    BAD_SIGNATURE = "bad-signature"
    UNKNOWN_ISSUER = "unknown-issuer"
    UNKNOWN_KEY = "unknown-key"
    WRONG_KEY = "wrong-key"
    REVOKED_KEY = "revoked-key"
    ROTATED_KEY = "rotated-key"
    """Signed by a key that was replaced, and not among what its rotation lists."""
    WRONG_TOPIC = "wrong-topic"
    WRONG_ORIGIN = "wrong-origin"
    WRONG_TYPE = "wrong-type"
    EQUIVOCATION = "equivocation"
    OVER_QUOTA = "over-quota"
    """Nothing is wrong with it: its device sends more than its share, and others wait."""


class StatementRefused(ValueError):
    """Signed bytes that may not be used; ``reason`` is for programs, ``detail`` for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def malformed(detail: str) -> StatementRefused:
    """The refusal for bytes that break the form of DESIGN section 3."""
    return StatementRefused(Reason.MALFORMED, detail)
