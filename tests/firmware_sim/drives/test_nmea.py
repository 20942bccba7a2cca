"""NMEA 0183 from receivers and loggers: dates that come late, fixes that are none."""

from pathlib import Path

import pytest

from firmware_sim.drives import DriveUnreadable, Record, open_drive, position
from firmware_sim.nmea.sentences import sentence
from tests.firmware_sim.recordings import records_of

NOON = 1_599_998_400
"""2020-09-13 12:00:00 UTC."""
SECOND = 10**9

WHERE = "4130.0000,N,09615.0000,W"


def rmc(at: str = "120000.00", day: str = "130920", status: str = "A", where: str = WHERE) -> bytes:
    return sentence(f"GPRMC,{at},{status},{where},10.0,90.0,{day},,,{status}")


def gga(
    at: str = "120000.00", quality: int = 1, where: str = WHERE, height: str = "300.5"
) -> bytes:
    return sentence(f"GPGGA,{at},{where},{quality},09,0.9,{height},M,,,,")


def read(tmp_path: Path, *sentences: bytes) -> list[Record]:
    path = tmp_path / "drive.txt"
    path.write_bytes(b"".join(sentences))
    return list(records_of(path).records())


def seconds(tmp_path: Path, *sentences: bytes) -> list[float]:
    return [record.time_ns / SECOND - NOON for record in read(tmp_path, *sentences)]


def test_sentences_of_one_time_are_one_fix(tmp_path: Path) -> None:
    gsa = sentence("GNGSA,A,3,01,02,,,,,,,,,,,1.5,0.9,1.2")
    vtg = sentence("GNVTG,91.0,T,,M,10.8,N,20.0,K,A")

    (record,) = read(tmp_path, gga(), rmc(), vtg, gsa)

    assert record == Record(
        NOON * SECOND,
        {
            position.LATITUDE: 41.5,
            position.LONGITUDE: -96.25,
            position.ALTITUDE: 300.5,
            position.SATELLITES: 9.0,
            position.HDOP: 0.9,
            position.SPEED: 20.0,
            position.HEADING: 91.0,
            position.FIX_TYPE: "THREE_D",
        },
    )


def test_speed_in_knots_is_kilometres_an_hour(tmp_path: Path) -> None:
    (record,) = read(tmp_path, rmc())

    assert record.values[position.SPEED] == pytest.approx(18.52)


@pytest.mark.parametrize(
    "bad",
    [
        rmc("120001.00", status="V"),
        gga("120001.00", quality=0) + rmc("120001.00"),
        gga("120001.00", quality=6) + rmc("120001.00"),
        gga("120001.00", height="-5400.0"),
        rmc("120001.00", where="0000.0000,N,00000.0000,E"),
        rmc("120001.00", where="9000.0000,S,00900.0000,E"),
        rmc("120001.00", where=",,,"),
        rmc("120001.00") + sentence("GPGSA,A,1,,,,,,,,,,,,,,,"),
    ],
    ids=["V", "quality 0", "estimated", "-5400 m", "null island", "lat -90", "empty", "mode 1"],
)
def test_fix_that_the_receiver_does_not_have_is_no_position(bad: bytes, tmp_path: Path) -> None:
    assert seconds(tmp_path, rmc(), bad, rmc("120002.00")) == [0.0, 2.0]


def test_fixes_before_the_first_date_get_theirs_from_it(tmp_path: Path) -> None:
    assert seconds(tmp_path, gga("235959.00"), gga("000000.00"), rmc("000000.00", "140920")) == [
        43_199.0,
        43_200.0,
    ]


def test_date_goes_on_over_midnight_without_being_told(tmp_path: Path) -> None:
    assert seconds(tmp_path, rmc("235959.00"), gga("000000.00")) == [43_199.0, 43_200.0]


def test_date_of_a_receiver_that_has_not_found_time_is_not_believed(tmp_path: Path) -> None:
    unset = rmc("115958.00", "060180", status="V")

    assert seconds(tmp_path, unset, gga("115959.00"), rmc()) == [-1.0, 0.0]


def test_zda_tells_the_date_as_well(tmp_path: Path) -> None:
    zda = sentence("GPZDA,120000.00,13,09,2020,00,00")

    assert seconds(tmp_path, zda, gga()) == [0.0]


def test_file_without_any_date_has_no_absolute_time(tmp_path: Path) -> None:
    read(tmp_path, gga("235959.00"), gga("000001.00"))

    facts = open_drive(tmp_path / "drive.txt").facts
    assert (facts.absolute, facts.span_s) == (False, 2.0)


def test_stamps_and_tag_blocks_before_a_sentence_are_skipped(tmp_path: Path) -> None:
    before = [b"2020-09-13T12:00:00.5Z ", b"\\s:gps,c:1599998400*00\\", b"[12:00] RX: "]
    lines = [put + rmc(f"12000{n}.00") for n, put in enumerate(before)]

    assert seconds(tmp_path, *lines) == [0.0, 1.0, 2.0]


def test_wrong_checksum_and_noise_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    damaged = rmc("120001.00").replace(b"4130", b"4131")

    assert seconds(tmp_path, rmc(), damaged, b"\x00\xff\x10 noise\n", rmc("120002.00")) == [
        0.0,
        2.0,
    ]
    assert open_drive(tmp_path / "drive.txt").facts.notes == (
        "2 lines or values could not be read",
    )


def test_sentence_without_checksum_may_be_half_a_sentence_and_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "drive.txt"
    path.write_bytes(rmc().partition(b"*")[0] + b"\r\n")

    with pytest.raises(DriveUnreadable, match="only sentences without a checksum"):
        open_drive(path)


def test_other_sentences_are_named_and_left_out(tmp_path: Path) -> None:
    read(tmp_path, rmc(), sentence("GPGSV,1,1,00"), sentence("PUBX,40,GLL"))

    assert open_drive(tmp_path / "drive.txt").facts.left_out == ("GSV sentences", "PUBX sentences")
