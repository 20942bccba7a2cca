from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynmeagps import NMEAMessage, NMEAReader

from firmware_sim.drives import Record, position
from firmware_sim.nmea.sentences import KMH_PER_KNOT, end_sentence, fix_sentences
from tests.firmware_sim import recordings

MS = 10**6

coordinates = st.tuples(st.floats(-89.9999999, 89.9999999), st.floats(-180, 180)).filter(
    lambda pair: pair != (0, 0)
)
moments_ms = st.integers(946_684_800_000, 4_102_444_799_999)


def parsed(sentences: bytes) -> dict[str, NMEAMessage]:
    messages = [NMEAReader.parse(line) for line in sentences.splitlines(keepends=True)]
    return {message.msgID: message for message in messages if isinstance(message, NMEAMessage)}


def at(utc_ms: int, **values: float | str) -> Record:
    paths = {name.upper(): value for name, value in values.items()}
    return Record(utc_ms * MS, {getattr(position, name): value for name, value in paths.items()})


@given(coordinates, moments_ms, st.floats(0, 300), st.floats(0, 359.99), st.floats(-400, 8_000))
def test_a_fix_comes_back_as_it_was(
    where: tuple[float, float], utc_ms: int, speed: float, heading: float, altitude: float
) -> None:
    record = at(
        utc_ms,
        latitude=where[0],
        longitude=where[1],
        speed=speed,
        heading=heading,
        altitude=altitude,
    )
    messages = parsed(fix_sentences(record))
    rmc, gga = messages["RMC"], messages["GGA"]

    for message in (rmc, gga):
        assert (message.lat, message.lon) == pytest.approx(where, abs=5e-9)
    told = datetime.combine(rmc.date, rmc.time, UTC)
    # pynmeagps knows years of two digits from 1980 on
    assert told.replace(year=2000) == datetime.fromtimestamp(utc_ms / 1_000, UTC).replace(
        year=2000, microsecond=utc_ms % 1_000 * 1_000
    )
    assert gga.time == rmc.time
    assert rmc.spd * KMH_PER_KNOT == pytest.approx(speed, abs=0.001)
    assert rmc.cog == pytest.approx(heading, abs=0.0051)
    assert gga.alt == pytest.approx(altitude, abs=0.0051)


def test_what_is_not_known_stays_empty() -> None:
    lines = fix_sentences(at(1_558_902_391_250, latitude=41.2603684, longitude=-96.0383377))

    assert lines.splitlines() == [
        b"$GPGGA,202631.250,4115.6221040,N,09602.3002620,W,1,,,,,,,,*59",
        b"$GPRMC,202631.250,A,4115.6221040,N,09602.3002620,W,,,260519,,,A*7C",
    ]


def test_dimensions_satellites_and_dilution_are_told_when_known() -> None:
    record = at(
        0, latitude=1.0, longitude=2.0, fix_type="THREE_D", satellites=8.0, hdop=0.98, altitude=5.0
    )
    messages = parsed(fix_sentences(record))

    assert (messages["GSA"].navMode, messages["GSA"].HDOP) == (3, 0.98)
    assert (messages["GGA"].numSV, messages["GGA"].HDOP, messages["GGA"].alt) == (8, 0.98, 5.0)


@pytest.mark.parametrize(
    "values",
    [{}, {"latitude": 1.0}, {"speed": 9.0}, {"latitude": -90.0, "longitude": 1.0}],
    ids=["nothing", "half", "speed alone", "pole of no fix"],
)
def test_nothing_is_said_without_a_position(values: dict[str, float]) -> None:
    assert fix_sentences(at(0, **values)) == b""


def test_minutes_never_reach_sixty() -> None:
    sentences = fix_sentences(at(0, latitude=0.99999999999, longitude=9.99999999999))

    assert b",0100.0000000,N,01000.0000000,E," in sentences


def test_last_sentence_is_the_one_that_agents_wait_for() -> None:
    assert end_sentence() == b"$PHLPEND*4B\r\n"


def test_every_fix_of_a_recorded_drive_is_parsed_by_another_hand() -> None:
    for record in recordings.records_of(recordings.COMMA).records():
        messages = parsed(fix_sentences(record))

        assert messages["RMC"].lat == pytest.approx(record.values[position.LATITUDE], abs=1e-8)
        assert messages["RMC"].time.microsecond // 1_000 == record.time_ns // MS % 1_000
