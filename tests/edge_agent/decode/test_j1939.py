"""J1939 decoding against readers written from the byte table, on recorded buses."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.decode import j1939
from edge_agent.decode.j1939 import Identifier, raw_max, read_identifier
from edge_agent.observation import Reading
from schemas.catalogue import BY_PATH, SIGNALS
from tests.edge_agent.recorded import BUSES, frames

Independent = Callable[[bytes], float | None]

BITS = {
    2: lambda raw: None if raw > 1 else raw,
    8: lambda raw: None if raw > 0xFA else raw,
    16: lambda raw: None if raw > 0xFAFF else raw,
    32: lambda raw: None if raw > 0xFAFFFFFF else raw,
}


def scaled(layout: str, at: int, scale: float, offset: float = 0.0) -> Independent:
    """A value at a byte (from 1) of a frame, by ``struct``."""
    bits = struct.calcsize(layout) * 8

    def read(data: bytes) -> float | None:
        raw = BITS[bits](struct.unpack_from(layout, data, at - 1)[0])
        return None if raw is None else raw * scale + offset

    return read


def two_bits(at: int, shift: int) -> Independent:
    return lambda data: BITS[2]((data[at - 1] >> shift) & 3)


BYTE_TABLE: dict[tuple[int, str], Independent] = {
    (0xF004, "Vehicle.Powertrain.CombustionEngine.Speed"): scaled("<H", 4, 0.125),
    (0xF003, "Vehicle.Chassis.Accelerator.PedalPosition"): scaled("<B", 2, 0.4),
    (0xF003, "Vehicle.Powertrain.Eec2EnginePercentLoad"): scaled("<B", 3, 1),
    (0xFEF1, "Vehicle.Speed"): scaled("<H", 2, 1 / 256),
    (0xFEF1, "Vehicle.Chassis.ParkingBrake.IsEngaged"): two_bits(1, 2),
    (0xFEF1, "Vehicle.ADAS.CruiseControl.IsBrakePressed"): two_bits(4, 4),
    (0xFEF2, "Vehicle.Powertrain.FuelSystem.InstantRate"): scaled("<H", 1, 0.05),
    (0xFEF2, "Vehicle.Powertrain.CombustionEngine.TPS"): scaled("<B", 7, 0.4),
    (0xFEC1, "Vehicle.TraveledDistanceHighRes"): scaled("<I", 1, 5),
    (0xFEE0, "Vehicle.TraveledDistance"): scaled("<I", 5, 125),
    (0xFEE9, "Vehicle.Powertrain.FuelSystem.AccumulatedConsumption"): scaled("<I", 5, 500),
    (0xFEEE, "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"): scaled(
        "<B", 1, 1, -40
    ),
    (0xFEF5, "Vehicle.Exterior.AirTemperature"): scaled("<H", 4, 1 / 32, -273),
    (0xFEF7, "Vehicle.LowVoltageBattery.CurrentVoltage"): scaled("<H", 5, 0.05),
    (0xFEFC, "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel"): scaled("<B", 2, 0.4),
    (0xFEE5, "Vehicle.Powertrain.CombustionEngine.EngineHours"): scaled("<I", 1, 0.05),
    (0xF005, "Vehicle.Powertrain.Transmission.CurrentGear"): scaled("<B", 4, 1, -125),
}


@pytest.mark.parametrize("path", BUSES, ids=lambda path: path.parent.name)
def test_a_recorded_bus_reads_as_the_byte_table_says(path: Path) -> None:
    compared = 0
    for frame in frames(path):
        if not frame.extended:
            continue
        identifier = read_identifier(frame.arbitration_id)
        read = {
            SIGNALS[r.signal_id].path: r.value
            for r in j1939.decode(identifier.pgn, identifier.source, frame.data)
        }
        for (pgn, signal), independent in BYTE_TABLE.items():
            if pgn == identifier.pgn:
                assert read.get(signal) == pytest.approx(independent(frame.data)), frame
                compared += 1
    assert compared > 500


@given(st.sampled_from(sorted(BYTE_TABLE)), st.binary(min_size=8, max_size=8))
def test_any_frame_reads_as_the_byte_table_says(where: tuple[int, str], data: bytes) -> None:
    pgn, signal = where
    read = {SIGNALS[r.signal_id].path: r.value for r in j1939.decode(pgn, 0, data)}

    assert read.get(signal) == pytest.approx(BYTE_TABLE[where](data))


@given(st.integers(0, 0x3FFFF), st.binary(max_size=64))
def test_no_frame_raises(pgn: int, data: bytes) -> None:
    readings = j1939.decode(pgn, 0, data)

    assert all(isinstance(reading, Reading) for reading in readings)


def test_a_broadcast_and_an_addressed_id_are_read_apart() -> None:
    assert read_identifier(0x0CF00400) == Identifier(0xF004, 0x00, 0xFF)
    assert read_identifier(0x18EA1C17) == Identifier(0xEA00, 0x17, 0x1C)
    assert read_identifier(0x17F00010).pgn != 0xF000


@pytest.mark.parametrize(
    ("bits", "largest"),
    [(2, 1), (3, 5), (4, 13), (8, 0xFA), (16, 0xFAFF), (24, 0xFAFFFF), (32, 0xFAFFFFFF)],
)
def test_indicator_values_end_the_range_of_measurements(bits: int, largest: int) -> None:
    assert raw_max(bits) == largest


def test_tachograph_states_are_the_catalogues() -> None:
    frame = bytes([0b0000_1011, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x1E])
    read = {SIGNALS[r.signal_id].path: r.value for r in j1939.decode(0xFE6C, 0xEE, frame)}
    states = BY_PATH["Vehicle.Tachograph.Driver.Driver1.WorkingState"].values

    assert states[int(read["Vehicle.Tachograph.Driver.Driver1.WorkingState"])] == "DRIVE"
    assert read["Vehicle.Tachograph.Driver.Driver2.WorkingState"] == 1
    assert read["Vehicle.Tachograph.Driver.Driver1.IsCardPresent"] == 1
    assert "Vehicle.Tachograph.Driver.Driver2.IsCardPresent" not in read
    assert read["Vehicle.Tachograph.VehicleSpeed"] == 30.0


@pytest.mark.parametrize("state", [4, 5, 6, 7])
def test_reserved_error_and_missing_states_are_none(state: int) -> None:
    frame = bytes([state | 0b0011_1000, *([0xFF] * 7)])

    assert j1939.decode(0xFE6C, 0xEE, frame) == ()


def test_every_signal_with_a_parameter_number_is_read_off_the_bus() -> None:
    read = {
        reading.signal_id
        for pgn in range(0x40000)
        if j1939.knows(pgn)
        for reading in j1939.decode(pgn, 0, bytes(8))
    }

    assert read >= {signal.id for signal in SIGNALS.values() if signal.spn is not None}
