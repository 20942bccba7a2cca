"""Frames made here are read by the agent's own decoder, which shares no code with their maker."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decode.j1939 import decode
from firmware_sim.drives import Frame, Record
from firmware_sim.j1939.framing import BUS, frames_of, parameter_frames, payload_of
from firmware_sim.j1939.messages import MESSAGES, SENT_PATHS, VIN, Message, Parameter
from firmware_sim.j1939.reading import pgn_of, values_of
from firmware_sim.j1939.slot import raw_of, valid_max, value_of
from schemas.catalogue import BY_PATH, SIGNALS
from tests.firmware_sim import recordings

PARAMETERS = [(message, parameter) for message in MESSAGES for parameter in message.parameters]
RANGE = {
    parameter.path: (
        parameter.offset,
        parameter.offset + valid_max(parameter.bits) * parameter.scale,
    )
    for _, parameter in PARAMETERS
}
WORDS = {parameter.path: list(parameter.codes) for _, parameter in PARAMETERS if parameter.codes}
RESOLUTION = {parameter.path: parameter.scale for _, parameter in PARAMETERS}

values = st.fixed_dictionaries(
    {},
    optional={
        path: st.sampled_from(WORDS[path]) if path in WORDS else st.floats(*RANGE[path])
        for path in sorted(SENT_PATHS)
    },
)


def agent_reads(frames: list[Frame]) -> dict[str, float]:
    return {
        SIGNALS[reading.signal_id].path: reading.value
        for frame in frames
        for reading in decode(pgn_of(frame.can_id), frame.can_id & 0xFF, frame.data)
    }


def as_number(path: str, value: float | str) -> float:
    return BY_PATH[path].values.index(value) if isinstance(value, str) else value


HALF_A_STEP = 0.505
"""And a little: to the agent's DBC a radian is 57.2957 degrees."""


@given(values)
def test_what_is_framed_is_what_the_agent_decodes(known: dict[str, float | str]) -> None:
    decoded = agent_reads(list(parameter_frames(Record(0, known))))

    assert decoded.keys() == known.keys()
    for path, value in known.items():
        tolerance = HALF_A_STEP * RESOLUTION[path]
        assert math.isclose(decoded[path], as_number(path, value), abs_tol=tolerance)


@given(values)
def test_way_back_gives_the_same_values(known: dict[str, float | str]) -> None:
    read = {
        path: value
        for frame in parameter_frames(Record(0, known))
        for path, value in values_of(frame.can_id, frame.data).items()
    }

    assert read.keys() == known.keys()
    for path, value in known.items():
        assert as_number(path, read[path]) == pytest.approx(
            as_number(path, value), abs=0.501 * RESOLUTION[path]
        )


@given(st.sampled_from(PARAMETERS), st.floats(allow_nan=False, allow_infinity=False))
def test_value_past_a_parameters_range_is_not_available_never_another_value(
    place: tuple[Message, Parameter], value: float
) -> None:
    message, parameter = place
    low, high = RANGE[parameter.path]
    payload = payload_of(message, {parameter.path: value})

    if payload is None:
        assert not low + parameter.scale < value < high - parameter.scale
    else:
        assert agent_reads([Frame(0, BUS, message.can_id, True, payload)])[
            parameter.path
        ] == pytest.approx(value, abs=0.501 * parameter.scale)


@given(st.sampled_from([parameter for _, parameter in PARAMETERS]), st.data())
def test_every_valid_raw_value_survives_the_round_trip(
    parameter: Parameter, data: st.DataObject
) -> None:
    largest = len(parameter.codes) - 1 if parameter.codes else valid_max(parameter.bits)
    raw = data.draw(st.integers(0, largest))
    value = value_of(parameter, raw)

    assert value is not None
    assert raw_of(parameter, value) == raw


def test_nothing_is_sent_of_what_a_record_does_not_have() -> None:
    assert list(parameter_frames(Record(7, {}))) == []

    (frame,) = parameter_frames(Record(7, {"Vehicle.Speed": 64.0}))
    assert frame == Frame(7, BUS, 0x18FEF100, True, bytes.fromhex("FF0040FFFFFFFFFF"))


@pytest.mark.parametrize(
    ("path", "value", "can_id", "data"),
    [
        ("Vehicle.Powertrain.CombustionEngine.Speed", 801.0, 0x0CF00400, "FFFFFF0819FFFFFF"),
        ("Vehicle.TraveledDistanceHighRes", 54_054_555.0, 0x18FEC117, "1FF6A400FFFFFFFF"),
        ("Vehicle.TraveledDistance", 57_088_875.0, 0x18FEE017, "FFFFFFFF07F80600"),
        ("Vehicle.Exterior.AirTemperature", 13.5, 0x18FEF500, "FFFFFFD023FFFFFF"),
        ("Vehicle.CurrentOverallWeight", 15_440.0, 0x18FE702F, "FFFF0806FFFFFFFF"),
        ("Vehicle.Tachograph.VehicleSpeed", 60.5, 0x0CFE6CEE, "FFFFFFFFFFFF803C"),
        ("Vehicle.Tachograph.Driver.Driver1.WorkingState", "DRIVE", 0x0CFE6CEE, "FBFFFFFFFFFFFFFF"),
        ("Vehicle.Tachograph.Driver.Driver2.WorkingState", "REST", 0x0CFE6CEE, "C7FFFFFFFFFFFFFF"),
        ("Vehicle.Tachograph.Driver.Driver1.IsCardPresent", 1.0, 0x0CFE6CEE, "FFDFFFFFFFFFFFFF"),
        ("Vehicle.Chassis.ParkingBrake.IsEngaged", 0.0, 0x18FEF100, "F3FFFFFFFFFFFFFF"),
        ("Vehicle.Powertrain.FuelSystem.InstantRate", 2.45, 0x18FEF200, "3100FFFFFFFFFFFF"),
        ("Vehicle.LowVoltageBattery.CurrentVoltage", 13.3, 0x18FEF700, "FFFFFFFF0A01FFFF"),
    ],
)
def test_layouts_are_those_of_the_standard(
    path: str, value: float | str, can_id: int, data: str
) -> None:
    """Worked out by hand from the positions and scales of SAE J1939-71."""
    (frame,) = parameter_frames(Record(0, {path: value}))

    assert (frame.can_id, frame.data) == (can_id, bytes.fromhex(data))


def test_frames_of_a_real_bus_are_framed_again_to_the_same_bits() -> None:
    """What the maker knows of a real frame, it puts where the real sender put it."""
    by_pgn = {message.pgn: message for message in MESSAGES}
    compared = 0
    for frame in recordings.frames_of(recordings.IDLE_GZIPPED).frames():
        message = by_pgn.get(pgn_of(frame.can_id))
        known = values_of(frame.can_id, frame.data) if frame.extended else {}
        if message is None or not known:
            continue
        made = payload_of(message, known)
        assert made is not None
        again, real = int.from_bytes(made, "little"), int.from_bytes(frame.data, "little")
        for parameter in message.parameters:
            if parameter.path in known:
                mask = (1 << parameter.bits) - 1 << parameter.start_bit
                assert again & mask == real & mask
                compared += 1

    assert compared > 3_000


def reassembled(frames: list[Frame]) -> bytes:
    announcement, *packets = frames
    assert announcement.data[0] == 0x20
    assert [packet.data[0] for packet in packets] == list(range(1, announcement.data[3] + 1))
    size = int.from_bytes(announcement.data[1:3], "little")
    return b"".join(packet.data[1:] for packet in packets)[:size]


def test_vin_is_broadcast_in_packets_once_and_again_when_it_changes() -> None:
    first, second = "YV2E4C3A5VB180691", "1XKYDP9X5NJ000001"
    records = [Record(t, {VIN: vin}) for t, vin in enumerate([first, first, second, second])]
    frames = list(frames_of(records))

    assert [frame.can_id for frame in frames] == [0x1CECFF00, *[0x1CEBFF00] * 3] * 2
    assert frames[0].data == bytes.fromhex("20120003FFECFE00")
    assert reassembled(frames[:4]) == f"{first}*".encode()
    assert reassembled(frames[4:]) == f"{second}*".encode()
    assert [frame.time_ns for frame in frames] == sorted(frame.time_ns for frame in frames)


def test_frames_of_a_drive_keep_the_records_times_and_their_order() -> None:
    records = list(recordings.records_of(recordings.eclipse_truck()).records())
    frames = list(frames_of(records))
    times = [frame.time_ns for frame in frames]

    assert times == sorted(times)
    assert len(frames) == len(records) + 3 + 8


def test_a_vehicle_that_is_named_anew_in_every_record_fills_no_memory() -> None:
    records = (Record(n * 10**6, {VIN: f"VEHICLE{n:010d}"}) for n in range(20_000))

    sent = sum(1 for _ in frames_of(records))

    assert 0 < sent < 2_000
