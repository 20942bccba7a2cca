"""Kinds of statement in the log and their type texts (COSE header 16, RFC 9596).

Numbers and texts are never used again for something else.
"""

from enum import IntEnum

from schemas.errors import Reason, StatementRefused


class Kind(IntEnum):
    """First item of a log leaf, ``[kind, SHA-256(statement)]``."""

    SEGMENT = 1
    GAP = 2
    TRIP = 3
    MILESTONE = 4
    WAYBILL = 5
    CONTRACT = 6
    SETTLEMENT = 7
    CLAIM = 8
    GRANT = 9
    REVOCATION = 10
    DEVICE_KEY = 11
    ORG_KEY = 12
    ERASURE = 13
    ACCESS_BATCH = 14
    DRIVING_TIME = 15
    COMMISSIONING = 16
    BINDING = 17
    DECLARATION = 18
    TRUST_BUNDLE = 19


TYPE_TEXT: dict[Kind, str] = {
    Kind.SEGMENT: "hp-seg",
    Kind.GAP: "hp-gap",
    Kind.TRIP: "hp-trip",
    Kind.MILESTONE: "hp-mile",
    Kind.WAYBILL: "hp-way",
    Kind.CONTRACT: "hp-con",
    Kind.SETTLEMENT: "hp-set",
    Kind.CLAIM: "hp-claim",
    Kind.GRANT: "hp-grant",
    Kind.REVOCATION: "hp-rev",
    Kind.DEVICE_KEY: "hp-dev",
    Kind.ORG_KEY: "hp-org",
    Kind.ERASURE: "hp-erase",
    Kind.ACCESS_BATCH: "hp-acc",
    Kind.DRIVING_TIME: "hp-time",
    Kind.COMMISSIONING: "hp-comm",
    Kind.BINDING: "hp-bind",
    Kind.DECLARATION: "hp-decl",
    Kind.TRUST_BUNDLE: "hp-trust",
}

REFUSAL_TYPE = "hp-ref"
"""A signed refusal: travels to the device, is never a leaf."""

CONFIGURATION_TYPE = "hp-cfg"

_BY_TEXT = {text: kind for kind, text in TYPE_TEXT.items()}


def kind_of_type(text: str) -> Kind:
    """The kind whose type text this is; ``StatementRefused(wrong-type)`` for any other text."""
    kind = _BY_TEXT.get(text)
    if kind is None:
        raise StatementRefused(Reason.WRONG_TYPE, f"{text!r} is not the type of any log record")
    return kind
