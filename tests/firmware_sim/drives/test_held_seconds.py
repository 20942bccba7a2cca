from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.drives import DriveUnreadable, open_drive
from firmware_sim.drives.held_seconds import HOURS_MAX, HeldSeconds


@given(st.lists(st.integers(-10_000, 10_000_000), max_size=50))
def test_seconds_are_counted_once(seconds: list[int]) -> None:
    held = HeldSeconds()
    for second in seconds:
        held.add(second)

    assert len(held) == len(set(seconds))


def test_a_file_of_more_than_a_years_hours_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "decades.csv"
    rows = (f"{1_000_000_000 + 3_600 * hour},10\n" for hour in range(HOURS_MAX + 1))
    path.write_text("time_utc,speed_kmh\n" + "".join(rows))

    with pytest.raises(DriveUnreadable, match="more than a year of driving: cut it"):
        open_drive(path)
