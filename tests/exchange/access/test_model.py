"""Which refusal a reader is told, when no grant opens what it asks for."""

import pytest

from exchange.access.model import (
    Form,
    GrantExpired,
    GrantRevoked,
    Judged,
    NoGrant,
    NotReadable,
    NotSupported,
    OutsideWindow,
    refusal_of,
)

REVOKED = Judged(revoked=True, expired=False, in_window=True, form_allowed=True)
EXPIRED = Judged(revoked=False, expired=True, in_window=True, form_allowed=True)
ELSEWHEN = Judged(revoked=False, expired=False, in_window=False, form_allowed=True)
NARROW = Judged(revoked=False, expired=False, in_window=True, form_allowed=False)


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ([], NoGrant),
        ([REVOKED], GrantRevoked),
        ([REVOKED, EXPIRED], GrantExpired),
        ([REVOKED, EXPIRED, ELSEWHEN], OutsideWindow),
        ([REVOKED, EXPIRED, ELSEWHEN, NARROW], NotSupported),
        ([NARROW, REVOKED], NotSupported),
    ],
)
def test_the_grant_closest_to_allowing_names_the_cause(
    grants: list[Judged], expected: type[NotReadable]
) -> None:
    for order in (grants, grants[::-1]):
        assert type(refusal_of(order, "v-1", Form.SEGMENTS)) is expected


def test_a_refusal_says_what_the_form_needs() -> None:
    assert "vehicle identity" in refusal_of([NARROW], "v-1", Form.SEGMENTS).detail
    assert "vehicle identity" not in refusal_of([NARROW], "v-1", Form.SIGNED).detail
