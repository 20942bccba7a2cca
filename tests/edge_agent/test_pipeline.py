from datetime import UTC, datetime

import pytest

from edge_agent.observation import Observation, Reading
from edge_agent.pipeline import Pipeline, Step, Told
from edge_agent.sampler import Sample, Sampler
from edge_agent.selection import Selector, Sender
from edge_agent.timebase import ClockQuality, Timebase
from schemas.catalogue import BY_PATH, SIGNALS
from schemas.segment import CLOCK_GNSS
from tests.edge_agent.recorded import ETI, IDLE, KEY_ON, WANDERING, replay

SPEED = BY_PATH["Vehicle.Speed"].id
BUS = Sender("j1939", 84, 0)
T0 = 1_700_000_000_000


def samples(told: list[Told]) -> list[Sample]:
    return [one for one in told if isinstance(one, Sample)]


def column(told: list[Told], path: str) -> list[float]:
    signal = BY_PATH[path]
    return [signal.decode(s.cells[signal.id]) for s in samples(told) if signal.id in s.cells]


def speed(at_ms: float, value: float) -> Observation:
    return Observation(at_ms, (Reading(SPEED, value, BUS),))


def pipeline() -> Pipeline:
    return Pipeline(Sampler(SIGNALS), Selector(), 400)


def test_an_idling_truck_whose_logger_was_weeks_behind_is_sampled_in_satellite_time() -> None:
    told, timebase, _ = replay(WANDERING)
    first = samples(told)[0]

    assert timebase.quality.source == CLOCK_GNSS
    assert isinstance(told[0], Step)
    assert datetime.fromtimestamp(first.t_ms / 1_000, UTC) == datetime(
        2023, 8, 8, 18, 36, 42, tzinfo=UTC
    )
    assert len(samples(told)) == 102


def test_the_wandering_fix_of_a_standing_truck_is_kept_as_it_was_measured() -> None:
    told, _, _ = replay(WANDERING)
    latitudes = column(told, "Vehicle.CurrentLocation.Latitude")

    assert set(column(told, "Vehicle.Speed")) == {0.0}
    assert (max(latitudes) - min(latitudes)) * 111_000 > 70
    assert max(column(told, "Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed")) <= 5


def test_every_second_of_a_recorded_bus_is_sampled_once() -> None:
    for path in (ETI, KEY_ON, IDLE, WANDERING):
        told, _, line = replay(path)
        times = [sample.t_ms for sample in samples(told)]
        assert times == sorted(set(times)), path
        assert line.sampler.late == 0, path


def test_an_idling_trucks_figures_are_those_of_its_description() -> None:
    told, _, _ = replay(IDLE)

    assert set(column(told, "Vehicle.TraveledDistance")) == {13_832_875.0}
    assert all(
        2.4 < rate < 2.9 for rate in column(told, "Vehicle.Powertrain.FuelSystem.InstantRate")
    )
    assert set(column(told, "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel")) == {74.8}


def test_of_two_odometers_the_clusters_is_believed_from_the_first_second_on() -> None:
    told, _, _ = replay(ETI)

    assert column(told, "Vehicle.TraveledDistanceHighRes") == [57_090_810.0] * 5


def test_errors_and_missing_values_of_a_stopped_engine_are_no_numbers() -> None:
    told, _, _ = replay(KEY_ON)

    assert column(told, "Vehicle.Chassis.Accelerator.PedalPosition") == []
    assert set(column(told, "Vehicle.Powertrain.CombustionEngine.Speed")) == {0.0}
    assert set(column(told, "Vehicle.Powertrain.CombustionEngine.EngineHours")) == {219.2}


def test_a_gap_of_weeks_costs_no_ticks_and_leaves_no_sample() -> None:
    line, timebase = pipeline(), Timebase()
    told = line.feed(speed(T0, 10), timebase, True)
    told += line.feed(speed(T0 + 1_209_600_000, 20), timebase, True)
    told += line.finish()

    assert [s.t_ms - T0 for s in samples(told)] == [
        *(0, 1_000, 2_000),
        *(1_209_600_000,),
    ]


def test_a_receivers_epoch_beats_the_bus_latency_once_the_clock_is_known() -> None:
    line, timebase = pipeline(), Timebase(0, ClockQuality(CLOCK_GNSS, 500))
    told: list[Told] = []
    for second in range(10):
        at = T0 + second * 1_000
        latitude = BY_PATH["Vehicle.CurrentLocation.Latitude"].id
        readings = (Reading(latitude, float(second), Sender("nmea")),)
        told += line.feed(Observation(at + 350, readings, epoch_ms=at), timebase, True)
    told += line.finish()

    signal = BY_PATH["Vehicle.CurrentLocation.Latitude"]
    values = {s.t_ms - T0: signal.decode(s.cells[signal.id]) for s in samples(told)}
    assert [values[second * 1_000] for second in range(10)] == list(range(10))


@pytest.mark.parametrize("alone", [True, False])
def test_only_a_line_of_its_own_moves_what_was_heard(alone: bool) -> None:
    line, timebase = pipeline(), Timebase()
    told: list[Told] = []
    for t in range(3):
        told += line.feed(
            Observation(T0 + t, gnss_ms=T0 + 9_000_000 + t, gnss_uncertainty_ms=1), timebase, alone
        )

    assert told == ([Step(9_000_000)] if alone else [])


def test_a_bus_that_names_ever_more_vehicles_is_heard_out_only_so_far() -> None:
    line, timebase = pipeline(), Timebase()
    told = [
        one
        for t in range(100)
        for one in line.feed(Observation(T0 + t, vin=f"YV2E4C3A5VB18{t:04d}"), timebase, True)
    ]

    assert len(told) == 4


def test_a_vin_is_told_once() -> None:
    line, timebase = pipeline(), Timebase()
    told = [
        one
        for t in range(3)
        for one in line.feed(Observation(T0 + t, vin="YV2E4C3A5VB180691"), timebase, True)
    ]

    assert len(told) == 1
