"""Recorded and made-up drives, changed as a forger or a fault would change them."""

from dataclasses import replace

import pytest

from exchange.derive.samples import LATITUDE, LONGITUDE, ODOMETER_FINE
from schemas.statements.trip_content import Finding, FindingClass, FindingCode
from tests.exchange.derive.recordings import Drive, Stretch, made, only_trip, recorded

FIFTY = 5_000


@pytest.fixture(scope="module")
def honest() -> Drive:
    """Ten minutes at 50 km/h (8.3 km) with odometer and fixes that agree."""
    drive = made(Stretch(600, FIFTY, odometer=True))
    return Drive(drive.rows, drive.rows[-1][0])


def contradictions(drive: Drive) -> list[Finding]:
    found = only_trip(drive).findings
    return [finding for finding in found if finding.severity is FindingClass.CONTRADICTION]


def changed(drive: Drive, signal: int, change: "dict[int, int]") -> Drive:
    """Other values of one signal in some rows, by number of the row."""
    rows = tuple(
        (at, {**row, signal: change[place]} if place in change else row)
        for place, (at, row) in enumerate(drive.rows)
    )
    return replace(drive, rows=rows)


def scaled(drive: Drive, per_mille: int) -> Drive:
    readings = [row[ODOMETER_FINE] for _, row in drive.rows]
    return changed(
        drive,
        ODOMETER_FINE,
        {
            place: readings[0] + (reading - readings[0]) * per_mille // 1000
            for place, reading in enumerate(readings)
        },
    )


def shifted(drive: Drive, rows: range, units: int) -> Drive:
    """Some fixes moved east."""
    values = {place: drive.rows[place][1][LONGITUDE] + units for place in rows}
    return changed(drive, LONGITUDE, values)


def test_honest_drive_has_no_finding(honest: Drive) -> None:
    assert only_trip(honest).findings == ()


@pytest.mark.parametrize("per_mille", [700, 900, 1_100, 2_000])
def test_scaled_odometer_contradicts_the_fixes(honest: Drive, per_mille: int) -> None:
    trip = only_trip(scaled(honest, per_mille))

    (finding,) = trip.findings
    assert finding.code is FindingCode.ODOMETER_AGAINST_GNSS
    assert finding.severity is FindingClass.CONTRADICTION
    assert (finding.from_ms, finding.to_ms) == (trip.start[0], trip.end[0])
    assert trip.odometer_m is not None
    assert trip.gnss_mm is not None
    assert finding.values[:2] == (trip.odometer_m, trip.gnss_mm // 1000)
    longer = max(finding.values[:2])
    difference = abs(finding.values[0] - finding.values[1])
    assert finding.values[2] == pytest.approx(difference * 1000 / longer, abs=1)


def test_small_disagreement_is_quality_and_a_tiny_one_nothing(honest: Drive) -> None:
    (finding,) = only_trip(scaled(honest, 1_040)).findings

    assert finding.severity is FindingClass.QUALITY
    assert only_trip(scaled(honest, 1_009)).findings == ()


def test_odometer_that_is_set_back_is_found_where_it_happened(honest: Drive) -> None:
    readings = [row[ODOMETER_FINE] for _, row in honest.rows]
    forged = changed(
        honest, ODOMETER_FINE, {place: readings[place] - 50_000 for place in range(300, 600)}
    )

    trip = only_trip(forged)

    assert contradictions(forged) == [
        Finding(
            FindingCode.ODOMETER_SET_BACK,
            FindingClass.CONTRADICTION,
            honest.rows[299][0],
            honest.rows[300][0],
            (readings[299], readings[300] - 50_000),
        )
    ]
    assert trip.odometer_m == pytest.approx(only_trip(honest).odometer_m, abs=20)


def test_odometer_that_leaps_ahead_is_found_and_adds_nothing(honest: Drive) -> None:
    readings = [row[ODOMETER_FINE] for _, row in honest.rows]
    forged = changed(
        honest, ODOMETER_FINE, {place: readings[place] + 50_000 for place in range(300, 600)}
    )

    (finding,) = contradictions(forged)
    assert finding.code is FindingCode.ODOMETER_LEAP
    assert finding.values == (readings[299], readings[300] + 50_000)
    assert only_trip(forged).odometer_m == pytest.approx(only_trip(honest).odometer_m, abs=20)


def test_teleport_is_found_where_it_happened_and_adds_nothing(honest: Drive) -> None:
    """From row 200 to 399 the fixes are 68 km away."""
    forged = shifted(honest, range(200, 400), 10_000_000)

    there, back = contradictions(forged)
    assert (there.code, back.code) == (FindingCode.POSITION_JUMP, FindingCode.POSITION_JUMP)
    assert (there.from_ms, there.to_ms) == (honest.rows[199][0], honest.rows[200][0])
    assert (back.from_ms, back.to_ms) == (honest.rows[399][0], honest.rows[400][0])
    assert there.values[0] == pytest.approx(68_600, rel=0.01)
    assert there.values[1] == 1_000
    assert only_trip(forged).gnss_mm == pytest.approx(only_trip(honest).gnss_mm, rel=0.005)


def test_recorded_drive_that_teleports_is_found() -> None:
    drive = recorded("css_dk_2021_van")
    forged = shifted(drive, range(1_000, 1_100), 3_000_000)

    assert contradictions(drive) == []
    assert [finding.code for finding in contradictions(forged)] == [FindingCode.POSITION_JUMP] * 2


def test_fix_that_is_back_at_once_is_noise(honest: Drive) -> None:
    forged = shifted(honest, range(200, 202), 10_000_000)

    (finding,) = only_trip(forged).findings
    assert finding.severity is FindingClass.QUALITY
    assert finding.code is FindingCode.POSITION_SPIKE
    assert (finding.from_ms, finding.to_ms) == (honest.rows[199][0], honest.rows[202][0])


def test_fixes_of_a_small_part_of_the_trip_are_not_assessable(honest: Drive) -> None:
    rows = tuple(
        (at, row if place < 200 else {key: row[key] for key in row if key not in (LATITUDE,)})
        for place, (at, row) in enumerate(honest.rows)
    )

    (finding,) = only_trip(replace(honest, rows=rows)).findings
    assert finding.severity is FindingClass.NOT_ASSESSABLE


def test_the_odometer_may_count_more_than_a_chord_across_a_gap() -> None:
    """Two minutes without fixes on a winding road: the odometer's way is 40 % longer there."""
    drive = made(
        Stretch(600, FIFTY, odometer=True),
        Stretch(60, FIFTY, silent=True),
        Stretch(600, FIFTY, odometer=True),
    )
    readings = {place: row[ODOMETER_FINE] + 330 for place, (_, row) in enumerate(drive.rows)}
    winding = changed(
        replace(drive, source_end_ms=drive.rows[-1][0]),
        ODOMETER_FINE,
        {place: reading for place, reading in readings.items() if place >= 600},
    )

    assert only_trip(winding).findings == ()


def test_many_findings_are_cut_and_counted(honest: Drive) -> None:
    readings = [row[ODOMETER_FINE] for _, row in honest.rows]
    forged = changed(
        honest,
        ODOMETER_FINE,
        {place: readings[place] + place % 2 * 100_000 for place in range(100, 400)},
    )

    trip = only_trip(forged)

    assert len(trip.findings) == 32
    assert sum(trip.remarks.values()) > 0
