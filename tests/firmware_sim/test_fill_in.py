import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.drives import Record, open_drive
from firmware_sim.fill_in import (
    ENGINE_SPEED,
    IDLE_RPM,
    SHIFT_UP_RPM,
    engine_rpm,
    filled_in,
    missing_paths,
)
from tests.firmware_sim import recordings


@given(st.floats(0, 200))
def test_made_up_engine_speed_is_one_that_an_engine_has(speed_kmh: float) -> None:
    assert IDLE_RPM <= engine_rpm(speed_kmh) <= SHIFT_UP_RPM


def test_only_what_a_drive_lacks_is_filled_in() -> None:
    assert missing_paths(open_drive(recordings.COVESA)) == (ENGINE_SPEED,)
    assert missing_paths(open_drive(recordings.eclipse_truck())) == ()
    assert missing_paths(open_drive(recordings.TRUCKGPS)) == ()


def test_no_record_is_added_and_none_without_speed_is_touched() -> None:
    records = [Record(1, {"Vehicle.Speed": 0.0}), Record(2, {"Vehicle.CurrentOverallWeight": 1.0})]

    assert list(filled_in(records)) == [
        Record(1, {"Vehicle.Speed": 0.0, ENGINE_SPEED: IDLE_RPM}),
        records[1],
    ]


def test_same_speed_gives_the_same_engine_speed() -> None:
    assert engine_rpm(80.0) == engine_rpm(80.0) == pytest.approx(1_250, abs=250)
