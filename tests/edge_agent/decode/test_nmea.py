from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decode.nmea import NmeaDecoder
from edge_agent.observation import Observation
from schemas.catalogue import SIGNALS

NOON_MS = datetime(2026, 3, 23, 12, 35, 19, tzinfo=UTC).timestamp() * 1_000


def sentence(body: str) -> bytes:
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode()


RMC = "GPRMC,{time},{status},4807.038,N,01131.000,E,022.4,084.4,{date},,,{mode}"


def rmc(time: str = "123519.00", status: str = "A", date: str = "230326") -> bytes:
    return sentence(RMC.format(time=time, status=status, date=date, mode="A"))


def gga(time: str = "123519.00", quality: int = 1) -> bytes:
    return sentence(f"GPGGA,{time},4807.038,N,01131.000,E,{quality},08,0.9,545.4,M,46.9,M,,")


def read(*lines: bytes, replayed: bool = True) -> list[Observation]:
    decoder = NmeaDecoder(replayed)
    said = [decoder.line(line, 77.0) for line in lines]
    return [observation for observation in said if observation is not None]


def values(observation: Observation) -> dict[str, float]:
    return {SIGNALS[r.signal_id].path.rpartition(".")[2]: r.value for r in observation.readings}


def test_a_fix_is_read_with_its_time() -> None:
    (fix,) = read(rmc())

    assert fix.stamp_ms == fix.gnss_ms == fix.epoch_ms == NOON_MS
    assert values(fix) == pytest.approx(
        {"Latitude": 48.1173, "Longitude": 11.5166666667, "Speed": 41.4848, "Heading": 84.4}
    )


def test_height_satellites_and_dilution_come_with_the_next_sentence() -> None:
    fix = read(rmc(), gga())[1]

    assert fix.stamp_ms == NOON_MS
    assert values(fix)["Altitude"] == 545.4
    assert values(fix)["SatellitesUsed"] == 8
    assert values(fix)["HDOP"] == 0.9


def test_a_live_receivers_sentences_are_stamped_where_they_arrive() -> None:
    (fix,) = read(rmc(), replayed=False)

    assert (fix.stamp_ms, fix.gnss_ms) == (77.0, NOON_MS)


@pytest.mark.parametrize("quality", [0, 6, 7, 8])
def test_fixes_that_were_not_measured_are_left_out(quality: int) -> None:
    fix = read(rmc(), gga(quality=quality))[1]

    assert "Latitude" not in values(fix)


def test_an_invalid_fix_says_nothing_and_sets_no_clock() -> None:
    assert read(rmc(status="V")) == []
    assert read(rmc(status="V"), replayed=False)[0].readings == ()


def test_sentences_before_the_first_date_have_no_place_in_a_replay() -> None:
    assert read(gga()) == []


def test_midnight_moves_the_day_on() -> None:
    decoder = NmeaDecoder(True)
    decoder.line(rmc("235959.00"), 0)
    observation = decoder.line(gga("000000.00"), 0)

    assert observation is not None
    assert observation.stamp_ms == datetime(2026, 3, 24, tzinfo=UTC).timestamp() * 1_000


def test_speed_over_ground_fix_type_and_accuracy_have_sentences_of_their_own() -> None:
    said = read(
        rmc(),
        sentence("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A"),
        sentence("GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1"),
        sentence("GPGST,123519.00,3.2,6.6,4.7,47.3,3.0,4.0,22.0"),
    )

    assert [values(o) for o in said[1:]] == [
        {"Speed": 10.2, "Heading": 54.7},
        {"FixType": 2.0},
        {"HorizontalAccuracy": 5.0},
    ]


def test_a_played_drive_says_when_it_is_over() -> None:
    decoder = NmeaDecoder(True)
    decoder.line(sentence("PHLPEND"), 0)

    assert decoder.ended


def test_a_wrong_checksum_is_no_sentence() -> None:
    decoder = NmeaDecoder(True)
    decoder.line(b"$PHLPEND*00\r\n", 0)
    decoder.line(rmc().replace(b"4807", b"4907"), 0)

    assert not decoder.ended
    assert decoder.invalid == 2


@pytest.mark.parametrize("date", ["010180", "060180"])
def test_a_receiver_that_has_forgotten_the_year_is_not_believed(date: str) -> None:
    assert read(rmc(date=date)) == []


FIELDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*$,"), max_size=12
)


@given(
    st.sampled_from(["GPRMC", "GNGGA", "GPVTG", "GPGSA", "GPGST", "PHLPEND", "GPZDA", "PUBX"]),
    st.lists(FIELDS, max_size=20),
    st.booleans(),
)
def test_no_sentence_raises(kind: str, fields: list[str], replayed: bool) -> None:
    read(rmc(), sentence(",".join([kind, *fields])), gga(), replayed=replayed)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise(line: bytes, replayed: bool) -> None:
    read(rmc(), line, b"$" + line, replayed=replayed)
