"""Names of organisations, devices and issuers (DESIGN section 3)."""

import re
from dataclasses import dataclass

from schemas.errors import malformed

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"

_NAME = re.compile(NAME_PATTERN)
_ISSUER = re.compile(f"hp:({NAME_PATTERN})(?:/({NAME_PATTERN}))?")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signed: an organisation, or one of its devices."""

    org: str
    device: str | None = None


def is_name(text: str) -> bool:
    """Whether the text may name an organisation, a device or a vehicle pseudonym."""
    return _NAME.fullmatch(text) is not None


def device_issuer(carrier: str, device: str) -> str:
    """``hp:<carrier>/<device>``; ``StatementRefused`` when either is no name."""
    return f"hp:{_name(carrier)}/{_name(device)}"


def org_issuer(org: str) -> str:
    """``hp:<org>``; ``StatementRefused`` when it is no name."""
    return f"hp:{_name(org)}"


def parse_issuer(text: str) -> Issuer:
    """The parts of an issuer; ``StatementRefused(malformed)`` for anything else."""
    match = _ISSUER.fullmatch(text)
    if match is None:
        raise malformed("the issuer is not of the form hp:organisation or hp:carrier/device")
    return Issuer(match[1], match[2])


def _name(text: str) -> str:
    if not is_name(text):
        raise malformed(f"{text!r} does not match {NAME_PATTERN}")
    return text
