"""Chords against lengths on WGS 84 by the C library's functions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.derive.distance import chords_mm

DEGREE = 10_000_000
SEMI_MAJOR_M = 6_378_137.0
ECCENTRICITY_SQUARED = 0.0066943799901413165


def chord_m(start: tuple[float, float], end: tuple[float, float]) -> float:
    values = [np.array([round(part * DEGREE)], np.int64) for part in (*start, *end)]
    return int(chords_mm(*values)[0]) / 1000


def parallel_m(latitude: float, degrees: float) -> float:
    """Along a parallel of WGS 84."""
    phi = math.radians(latitude)
    across = SEMI_MAJOR_M / math.sqrt(1 - ECCENTRICITY_SQUARED * math.sin(phi) ** 2)
    return across * math.cos(phi) * math.radians(degrees)


def test_a_degree_of_the_equator_and_the_first_of_a_meridian_have_their_known_lengths() -> None:
    assert chord_m((0.0, 0.0), (0.0, 1.0)) == pytest.approx(111_319.491, abs=0.001)
    assert chord_m((0.0, 0.0), (1.0, 0.0)) == pytest.approx(110_574.389, rel=1e-5)


@pytest.mark.parametrize("latitude", [-80.0, -33.3, 0.0, 10.0, 52.0, 70.0])
def test_short_chord_along_a_parallel_is_the_parallel_s(latitude: float) -> None:
    expected = parallel_m(latitude, 0.01)

    assert chord_m((latitude, 10.0), (latitude, 10.01)) == pytest.approx(expected, abs=0.002)
    assert chord_m((latitude, 179.995), (latitude, -179.995)) == pytest.approx(expected, abs=0.002)


@given(st.integers(-85 * DEGREE, 85 * DEGREE), st.integers(-180 * DEGREE, 180 * DEGREE))
def test_ten_metres_are_ten_metres_anywhere(latitude: int, longitude: int) -> None:
    """Against the same formula by math.cos and math.sqrt."""
    there = latitude + 900
    phi = math.radians((latitude + there) / 2 / DEGREE)
    bulge = 1 - ECCENTRICITY_SQUARED * math.sin(phi) ** 2
    curvature = SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED) / bulge**1.5
    metres = curvature * math.radians(900 / DEGREE)

    found = chord_m((latitude / DEGREE, longitude / DEGREE), (there / DEGREE, longitude / DEGREE))

    assert found == pytest.approx(metres, abs=0.001)


@given(
    st.lists(
        st.tuples(st.integers(-90 * DEGREE, 90 * DEGREE), st.integers(-180 * DEGREE, 180 * DEGREE)),
        min_size=2,
        max_size=50,
    )
)
def test_chords_do_not_depend_on_their_place_in_the_array(points: list[tuple[int, int]]) -> None:
    """Vector units treat the ends of arrays differently: the bits must not."""
    latitudes, longitudes = np.array(points, np.int64).T
    together = chords_mm(latitudes[:-1], longitudes[:-1], latitudes[1:], longitudes[1:])

    alone = [
        int(
            chords_mm(
                latitudes[at : at + 1],
                longitudes[at : at + 1],
                latitudes[at + 1 : at + 2],
                longitudes[at + 1 : at + 2],
            )[0]
        )
        for at in range(len(points) - 1)
    ]

    assert together.tolist() == alone
    assert (together >= 0).all()
