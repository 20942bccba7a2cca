"""Files with replaced and revoked keys: what is left to a key verifies, and a reader is told."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.evidence.file import Form
from ledger.evidence.independent import independent_verify
from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from schemas.kinds import Kind
from tests.ledger.evidence.changed_keys import NEW_KEY, Changing, released, rotated
from tests.ledger.evidence.world import BOOT, THRESHOLDS, VEHICLE, trip_payload


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


@pytest.mark.parametrize("make", [rotated, released])
def test_a_trip_over_changed_keys_verifies_in_full(make: Callable[[], Changing]) -> None:
    world = make().world
    readings = [n for n, (kind, _) in enumerate(world.statements) if kind == Kind.SEGMENT]
    [binding] = [n for n, (kind, _) in enumerate(world.statements) if kind == Kind.BINDING]
    payload = trip_payload(world, readings, [binding])
    world.put(world.keys.exchange, Kind.TRIP, "hp:exchange", VEHICLE, payload)
    data = world.evidence(Form.FULL, range(len(world.statements)), thresholds=THRESHOLDS)

    report = verify_evidence(data, world.policy())
    assert report.verified, report.sentences()
    assert independent_verify(data, world.policy_text().decode())["verified"]


STEPS = st.lists(
    st.sampled_from(["old", "new", "rotate", "rotate-all", "revoke", "revoke-new", "release"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_both_implementations_and_the_rule_agree_on_any_course_of_events(steps: list[str]) -> None:
    """The rule, by index alone: a revoked key says what was released, a replaced one its list."""
    truck = Changing.enrolled()
    truck.segment()
    listed: list[dict[bytes, int]] = []
    rotations: list[int] = []
    revoked: set[str] = set()
    expected: set[str] = set()
    for step in steps:
        match step:
            case "old" | "new":
                if step == "new" and not rotations:
                    expected.add("unknown-issuer")
                elif step in revoked:
                    expected.add("revoked-key")
                elif step == "old" and any(truck.seq > boots.get(BOOT, -1) for boots in listed):
                    expected.add("rotated-key")
                truck.segment(NEW_KEY if step == "new" else None)
            case "rotate" | "rotate-all":
                listed.append({BOOT: truck.seq if step == "rotate" else 99})
                rotations.append(truck.rotate(listed[-1]))
            case "revoke":
                truck.revoke()
                revoked.add("old")
            case "revoke-new" if rotations:
                truck.revoke(rotations[-1])
                revoked.add("new")
            case "release":
                late = truck.next_segment()
                truck.release([late])
                if "old" not in revoked and any(
                    truck.seq - 1 > boots.get(BOOT, -1) for boots in listed
                ):
                    expected.add("rotated-key")
                truck.world.commit(Kind.SEGMENT, late)
    data = truck.file()
    first = verify_evidence(data, truck.world.policy()).to_json()["reasons"]
    second = independent_verify(data, truck.world.policy_text().decode())["reasons"]

    assert isinstance(first, list)
    assert set(first) == set(second) == expected
