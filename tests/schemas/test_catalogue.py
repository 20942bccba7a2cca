"""The catalogue: what the table says is what the YAML says, and values survive their scale."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas import catalogue, catalogue_table
from schemas.catalogue import BY_PATH, EVENT_END_OF_SOURCE, EVENT_VIN, EVENTS, SIGNALS
from tests.schemas.catalogue_table_generator import CATALOGUE, render

signals = st.sampled_from(sorted(SIGNALS.values(), key=lambda signal: signal.id))


def test_the_table_is_made_from_the_yaml() -> None:
    made: dict[str, Any] = {}
    exec(render(yaml.safe_load(CATALOGUE.read_text())), made)  # noqa: S102 - our own generator

    assert made["SIGNAL_ROWS"] == catalogue_table.SIGNAL_ROWS
    assert made["EVENT_ROWS"] == catalogue_table.EVENT_ROWS
    assert made["VERSION"] == catalogue.VERSION


def test_ids_and_paths_are_given_once() -> None:
    assert len(SIGNALS) == len(catalogue_table.SIGNAL_ROWS)
    assert len(BY_PATH) == len(SIGNALS)


def test_event_ids_have_the_names_that_code_uses() -> None:
    assert EVENTS[EVENT_END_OF_SOURCE] == "end-of-source"
    assert EVENTS[EVENT_VIN] == "vin"


def test_working_states_and_cards_are_of_the_driver_class() -> None:
    driver = {signal.path for signal in SIGNALS.values() if signal.driver}

    assert driver == {path for path in BY_PATH if ".Driver." in path}


@given(signals, st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_stored_integer_survives_its_physical_value(signal: catalogue.Signal, raw: int) -> None:
    assert signal.encode(signal.decode(raw)) == raw


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_stored(value: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        SIGNALS[1].encode(value)


def test_a_published_id_keeps_its_path_unit_and_scale() -> None:
    published = {1: ("Vehicle.Speed", "km/h", "1/100"), 4: ("degrees", "1/10000000")}

    speed, latitude = SIGNALS[1], SIGNALS[4]
    assert (speed.path, speed.unit, str(speed.scale)) == published[1]
    assert (latitude.unit, str(latitude.scale)) == published[4]
