from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decode import obd
from edge_agent.decode.bus import BusDecoder
from edge_agent.decode.vin import strict_vin, vin_of_j1939, vin_of_obd
from edge_agent.observation import Observation
from schemas.catalogue import SIGNALS
from tests.edge_agent.recorded import KEY_ON, MINUTE_OF_A_VAN, WANDERING, frames


def observed(*sent: tuple[str, str]) -> list[Observation]:
    """What a bus says, from ids and data in hex, a millisecond apart."""
    decoder, now = BusDecoder(), count()
    said = [
        decoder.frame(int(i, 16), len(i) > 3, bytes.fromhex(data), float(next(now)))
        for i, data in sent
    ]
    return [observation for observation in said if observation is not None]


def values(observations: list[Observation]) -> dict[str, float]:
    return {
        SIGNALS[r.signal_id].path.rpartition(".")[2]: r.value
        for o in observations
        for r in o.readings
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("03410D5000000000", {"Speed": 80.0}),
        ("04410C1AF8000000", {"Speed": 1_726.0}),
        ("03412F8300000000", {"RelativeLevel": 131 * 100 / 255}),
        ("04415E0064CCCCCC", {"InstantRate": 5.0}),
        ("0641A600012345CC", {"TraveledDistance": 0x12345 * 100}),
        ("0341054500000000", {"Temperature": 29.0}),
        ("04414233C2CCCCCC", {"CurrentVoltage": 13.25}),
        ("0341463CCCCCCCCC", {"AirTemperature": 20.0}),
        ("0341FF3CCCCCCCCC", {}),
        ("037F011200000000", {}),
    ],
)
def test_obd_answers_are_read_off_the_bus(answer: str, expected: dict[str, float]) -> None:
    assert values(observed(("7E8", answer))) == pytest.approx(expected)


def test_several_parameters_in_one_answer_are_all_read() -> None:
    assert values(observed(("7E8", "06410D5005450000"))) == {"Speed": 80.0, "Temperature": 29.0}


def test_questions_are_not_answers() -> None:
    assert observed(("7E0", "02010D5555555555"), ("7DF", "02010D5555555555")) == []


@given(st.integers(0, 255), st.binary(max_size=80))
def test_no_obd_message_raises(address: int, message: bytes) -> None:
    obd.decode(address, message)


def test_a_vin_is_read_from_an_obd_answer() -> None:
    said = observed(
        ("7E8", "1014490201544D42"), ("7E8", "214A50374E58354E"), ("7E8", "2259303834393233")
    )

    assert [o.vin for o in said] == ["TMBJP7NX5NY084923"]


def test_a_vin_is_read_from_a_broadcast_of_four_packets() -> None:
    said = observed(
        ("1CECFF00", "20120003FFECFE00"),
        ("1CEBFF00", "0159563245344333"),
        ("1CEBFF00", "0241355642313830"),
        ("1CEBFF00", "033639312AFFFFFF"),
    )

    assert [o.vin for o in said] == ["YV2E4C3A5VB180691"]


def test_junk_around_a_vin_is_no_vin() -> None:
    recorded = [
        observation.vin
        for path in (KEY_ON,)
        for decoder in (BusDecoder(),)
        for frame in frames(path)
        if (observation := decoder.frame(*frame[:2], frame.data, frame.stamp_ms)) is not None
    ]

    assert set(recorded) == {None}


@pytest.mark.parametrize(
    "text", ["", "YV2E4C3A5VB18069", "YV2E4C3A5VB1806911", "YV2E4C3A5VB18069O", "yv2e4c3a5vb180691"]
)
def test_what_is_not_seventeen_characters_of_the_standard_is_no_vin(text: str) -> None:
    assert strict_vin(text.encode()) is None
    assert vin_of_j1939(text.encode() + b"*") is None
    assert vin_of_obd(b"\x49\x02\x01" + text.encode()) is None


def test_a_receiver_of_the_family_is_believed_while_its_time_is_confirmed() -> None:
    position, time = ("003", "189D6371FA226A7D"), ("002", "03970F5A840B")

    assert observed(("003", "199D6371FA226A7D")) == []
    assert observed(("002", "01476455840B"), ("003", "199D6371FA226A7D")) == []
    assert values(observed(time, position)) == {}
    said = observed(time, ("003", "199D6371FA226A7D"), ("007", "1F00407701"))
    assert said[0].gnss_ms == pytest.approx(1_627_305_534_999)
    assert 54 < values(said)["Latitude"] < 57
    assert said[1].epoch_ms == said[0].gnss_ms


def test_a_recorded_family_gives_positions_and_a_fix() -> None:
    decoder = BusDecoder()
    said = [
        observation
        for f in frames(MINUTE_OF_A_VAN)
        if (observation := decoder.frame(*f[:2], f.data, f.stamp_ms)) is not None
    ]
    read = values(said)

    assert read["Latitude"] == pytest.approx(55.9, abs=0.1)
    assert read["Longitude"] == pytest.approx(9.9, abs=0.2)
    assert read["FixType"] == 2


def test_a_recorded_familys_bytes_read_as_the_bit_table_says() -> None:
    decoder, compared = BusDecoder(), 0
    for f in frames(MINUTE_OF_A_VAN):
        observation = decoder.frame(*f[:2], f.data, f.stamp_ms)
        if f.arbitration_id == 3 and observation is not None:
            bits = int.from_bytes(f.data, "little")
            read = values([observation])
            assert read["Latitude"] == pytest.approx(((bits >> 1) & 0xFFFFFFF) / 1e6 - 90)
            assert read["Longitude"] == pytest.approx(((bits >> 29) & 0x1FFFFFFF) / 1e6 - 180)
            compared += 1
    assert compared > 50


def test_proprietary_frames_count_only_from_the_navigation_address() -> None:
    recorded = [f for f in frames(WANDERING) if (f.arbitration_id >> 8) & 0xFF00 == 0xFF00]
    for address, expected in ((0x1C, True), (0x17, False)):
        decoder = BusDecoder()
        said = [
            decoder.frame((f.arbitration_id & ~0xFF) | address, True, f.data, f.stamp_ms)
            for f in recorded
        ]
        assert any(said) is expected


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from([1, 2, 3, 4, 5, 6, 7, 0x64, 0x66, 0x67, 0x7E8, 0x7EF]),
                st.sampled_from([0x10FF011C, 0x10FF021C, 0x10FF031C, 0x1CECFF00, 0x1CEBFF00]),
                st.integers(0, 0x1FFFFFFF),
            ),
            st.booleans(),
            st.binary(max_size=64),
            st.floats(0, 1e13),
        ),
        max_size=50,
    )
)
def test_no_frame_raises_out_of_a_bus(sent: list[tuple[int, bool, bytes, float]]) -> None:
    decoder = BusDecoder()
    for arbitration_id, extended, data, at_ms in sent:
        decoder.frame(arbitration_id, extended, data, at_ms)

    assert decoder.frames == len(sent)
