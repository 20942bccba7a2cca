"""Recorded drives give these exact bytes on every processor (vectors/haulproof/trips.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.cose import cbor
from tests.exchange.derive.recordings import only_trip, recorded

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "haulproof" / "trips.json").read_text()
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["drive"]))
def test_recorded_drive_is_exactly_this_trip(vector: dict[str, Any]) -> None:
    trip = only_trip(recorded(vector["drive"]))

    assert cbor.encode(trip.fields()).hex() == vector["content"]
    assert trip.digest.hex() == vector["digest"]
    assert (trip.odometer_m, trip.gnss_mm) == (vector["odometer_m"], vector["gnss_mm"])
