"""What the demo says when there is no trip."""

from exchange.derive.samples import READ
from haulproof.demo.report import MOTION, no_trip_sentence
from schemas.catalogue import BY_PATH


def test_a_vehicle_that_stood_is_told_from_one_of_which_nothing_is_known() -> None:
    stood = no_trip_sentence(0, tells_motion=True)
    unknown = no_trip_sentence(0, tells_motion=False)

    assert "never drove 200 m" in stood
    assert "never drove" not in unknown
    assert "neither speed nor position nor odometer" in unknown
    assert "wander" not in stood
    assert "wander over 100 m" in no_trip_sentence(100, tells_motion=True)


def test_what_tells_of_motion_is_what_derivation_reads() -> None:
    assert {BY_PATH[path].id for path in MOTION} <= set(READ)
