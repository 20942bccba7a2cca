"""Rows out of order, twice, of a clock that was set, or of another decade."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.drives import DriveUnreadable, Record, open_drive
from firmware_sim.drives.forward import AHEAD_NS, FOLLOWING, forward, in_order
from firmware_sim.drives.model import Tally
from tests.firmware_sim.recordings import frames_of, records_of

T = 1_600_000_000
SECOND = 10**9
HOUR = 3_600
DECADE = 315_360_000

times = st.lists(st.integers(0, 4 * 10**18) | st.integers(0, 20 * SECOND), max_size=40)


def table(tmp_path: Path, seconds: list[float]) -> Path:
    path = tmp_path / "drive.csv"
    rows = "".join(f"{T + second:.3f},{number}\n" for number, second in enumerate(seconds))
    path.write_text(f"time_utc,speed_kmh\n{rows}")
    return path


def played(tmp_path: Path, seconds: list[float]) -> list[float]:
    return [r.time_ns / SECOND - T for r in records_of(table(tmp_path, seconds)).records()]


def test_rows_a_little_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    assert played(tmp_path, [0, 2, 1, 3, 5, 4]) == [0, 1, 2, 3, 4, 5]


def test_repeated_time_is_one_record_and_the_later_value_counts(tmp_path: Path) -> None:
    records = list(records_of(table(tmp_path, [0, 1, 0, 1, 1])).records())

    assert [record.values["Vehicle.Speed"] for record in records] == [2.0, 4.0]


def test_clock_that_is_set_back_costs_what_it_goes_through_again_and_is_noted(
    tmp_path: Path,
) -> None:
    seconds = [*range(100), *range(95, 150)]

    assert played(tmp_path, seconds) == list(range(150))
    assert any("go back in time" in note for note in open_drive(tmp_path / "drive.csv").facts.notes)


def test_file_most_of_which_lies_behind_a_step_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DriveUnreadable, match=r"goes back in time.*cut it there"):
        open_drive(table(tmp_path, [*range(10), *range(-HOUR, -HOUR + 50)]))


@pytest.mark.parametrize("at", [0, 5, 9], ids=["first", "in the middle", "last"])
def test_single_row_of_another_decade_is_left_out_and_noted(at: int, tmp_path: Path) -> None:
    seconds: list[float] = list(range(10))
    seconds[at] += DECADE

    assert len(played(tmp_path, seconds)) == 9
    notes = open_drive(tmp_path / "drive.csv").facts.notes
    assert notes == ("1 rows or frames stand alone in another time and are left out",)


def test_leap_that_others_follow_is_believed(tmp_path: Path) -> None:
    leapt: list[float] = [*range(5), *range(DECADE, DECADE + FOLLOWING)]

    assert played(tmp_path, leapt) == leapt


def test_a_day_between_rows_is_no_leap(tmp_path: Path) -> None:
    days: list[float] = [0, 86_400, 2 * 86_400]

    assert played(tmp_path, days) == days


def test_one_row_is_a_drive(tmp_path: Path) -> None:
    assert played(tmp_path, [0]) == [0]


def test_frames_keep_their_order_whatever_their_stamps_say(tmp_path: Path) -> None:
    """The packets of a broadcast follow each other; an adapter's stamps jitter."""
    path = tmp_path / "drive.log"
    stamps = [0.0, 0.002, 0.001, 0.003]
    path.write_text("".join(f"({T + s:.6f}) can0 18FEF100#FF0028FFFFFFFFFF\n" for s in stamps))

    read = [round(frame.time_ns / SECOND - T, 3) for frame in frames_of(path).frames()]
    assert read == stamps


@given(times)
def test_what_is_played_goes_forward_and_everything_is_accounted_for(times_ns: list[int]) -> None:
    tally = Tally()

    kept = list(in_order(forward((Record(t, {"a": 1.0}) for t in times_ns), tally)))

    assert [r.time_ns for r in kept] == sorted(r.time_ns for r in kept)
    assert len(kept) + tally.behind + tally.alone == len(times_ns)


@given(st.integers(0, 2**32))
def test_rows_shuffled_within_a_second_are_all_kept(seed: int) -> None:
    steps = [number * SECOND // 10 for number in range(100)]
    shuffled = sorted(steps, key=lambda t: t + random.Random(seed + t).random() * SECOND)
    tally = Tally()

    kept = list(in_order(forward((Record(t, {}) for t in shuffled), tally)))

    assert [r.time_ns for r in kept] == steps
    assert max(steps) < AHEAD_NS
