"""Files with replaced and revoked keys: what is left to a key verifies, and a reader is told."""

from collections.abc import Callable

import pytest

from ledger.evidence.independent import independent_verify
from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from schemas.kinds import Kind
from tests.ledger.evidence.changed_keys import Changing, released, rotated


def verified(truck: Changing, *, key_status: bool = True) -> Report:
    data, policy = truck.file(key_status=key_status), truck.world.policy()
    report = verify_evidence(data, policy)
    second = independent_verify(data, truck.world.policy_text().decode())
    assert report.verified, report.sentences()
    assert second["verified"], second
    return report


def test_what_a_rotation_lists_verifies_however_late_and_what_the_new_key_signs() -> None:
    text = " ".join(verified(rotated()).sentences())

    assert "A key of hp:acme/dev-1 was replaced at leaf 6" in text
    assert "nothing else became of these keys up to leaf 10 is the exchange's word" in text


def test_what_the_carrier_released_of_a_revoked_key_verifies() -> None:
    text = " ".join(verified(released()).sentences())

    assert "A key of hp:acme/dev-1 was revoked at leaf 5" in text
    assert "only what its carrier released" in text


@pytest.mark.parametrize("make", [rotated, released])
def test_a_file_whose_exchange_says_nothing_of_the_keys_verifies_and_says_so(
    make: Callable[[], Changing],
) -> None:
    text = " ".join(verified(make(), key_status=False).sentences())

    assert "does not say whether" in text


def test_a_revocation_takes_nothing_back_of_what_came_before() -> None:
    truck = Changing.enrolled()
    truck.segment()
    truck.segment()
    truck.revoke()

    verified(truck)


def test_what_a_carrier_s_revoked_key_signed_before_stands() -> None:
    truck = Changing.enrolled()
    keys = truck.world.keys
    truck.segment()
    truck.revoke(
        truck.carrier, kind=Kind.ORG_KEY, by=keys.exchange, issuer="hp:exchange", subject="acme"
    )
    truck.segment()

    assert "A key of hp:acme was revoked" in " ".join(verified(truck).sentences())
