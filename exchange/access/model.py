"""Who reads, in which form, and why not. Pure; the rules themselves are in ``access.readable``."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from exchange.errors import ExchangeRefusal
from exchange.orgs.model import Caller


class Form(IntEnum):
    """What leaves the exchange, in the order of what it gives away."""

    SHAPED = 0
    """A derived record, cut down to the grant's fields and precision."""
    SIGNED = 1
    """A derived record as signed: whole or not at all."""
    SEGMENTS = 2
    """What the devices signed: routes, events and vehicle identity."""


class NotReadable(ExchangeRefusal):
    """A read that no active grant allows; its subclasses say why."""


class NoGrant(NotReadable):
    """The reader has no grant for this, or the thing does not exist: the answer is the same."""


class GrantExpired(NotReadable):
    """The reader's grant has ended."""


class GrantRevoked(NotReadable):
    """The carrier has revoked the reader's grant."""


class OutsideWindow(NotReadable):
    """The reader's grant covers another time."""


class NotSupported(NotReadable):
    """The reader's grant is narrower than the form that was asked for."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One grant for the vehicle, held against each rule of ``access.readable``."""

    revoked: bool
    expired: bool
    in_window: bool
    form_allowed: bool


def refusal_of(grants: Sequence[Judged], vehicle: str, form: Form) -> NotReadable:
    """The refusal that helps most: the one of the grant that is closest to allowing the read."""
    standing = [grant for grant in grants if not grant.revoked]
    if not standing:
        return _without_standing(bool(grants), vehicle)
    running = [grant for grant in standing if not grant.expired]
    if not running:
        return GrantExpired(f"Your grant for vehicle {vehicle} has expired: ask for a new one.")
    if any(grant.in_window for grant in running):
        return NotSupported(_narrower(vehicle, form))
    return OutsideWindow(
        f"Your grant for vehicle {vehicle} covers another time: ask within its window."
    )


def _without_standing(had_one: bool, vehicle: str) -> NotReadable:
    if had_one:
        return GrantRevoked(f"The carrier has revoked your grant for vehicle {vehicle}.")
    return NoGrant(f"No grant opens vehicle {vehicle} to you: ask its carrier for one.")


def _narrower(vehicle: str, form: Form) -> str:
    if form is Form.SEGMENTS:
        return (
            f"Segments of vehicle {vehicle} need a grant of exact position and vehicle identity "
            "without a restriction of fields; yours is narrower."
        )
    return (
        f"A signed record of vehicle {vehicle} is given whole: that needs a grant of exact "
        "position without a restriction of fields; yours is narrower."
    )


@dataclass(frozen=True, slots=True)
class Read:
    """One line of the access log: what a reader was given of one carrier (None: of nobody)."""

    reader: Caller
    operation: str
    carrier: str | None
    vehicles: tuple[str, ...]
    grants: tuple[int, ...]
    items: int
    first_index: int | None
    last_index: int | None
