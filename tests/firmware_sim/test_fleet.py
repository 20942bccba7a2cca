import hashlib

import pytest

from firmware_sim.fleet import (
    SAMPLES,
    SIGNALS,
    FleetPlan,
    blocks_of,
    make_devices,
    sign_device,
)
from schemas.catalogue import BY_PATH
from schemas.catalogue import SIGNALS as CATALOGUE
from schemas.columns import decode_column
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.segment import encode_segment, read_segment_strict
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of

ORIGIN = "localhost/haulproof-00000000"


def plan(segments_each: int) -> FleetPlan:
    blocks = blocks_of(records_of(recordings.eclipse_truck()))
    return FleetPlan(ORIGIN, segments_each, 1_700_000_000_000, seed=7, blocks=blocks)


def test_every_statement_is_read_strictly_and_verifies() -> None:
    (device,) = make_devices("bench", 1)
    key = SoftwareSigner.from_pem(device.key_pem).public
    for seq, raw in enumerate(sign_device(device, 3, plan(16))):
        statement = sign1.parse(raw)
        sign1.verify(statement, key)
        segment = read_segment_strict(statement.payload)

        assert statement.header.issuer == "hp:bench/load-000000"
        assert (segment.seq, segment.block.n) == (seq, SAMPLES)
        assert len(segment.block.columns) == SIGNALS
        assert encode_segment(segment) == statement.payload


def test_each_device_has_one_boot_and_an_unbroken_chain() -> None:
    devices = make_devices("bench", 2)
    boots = set()
    for number, device in enumerate(devices):
        prev = b""
        for raw in sign_device(device, number, plan(5)):
            segment = read_segment_strict(sign1.parse(raw).payload)
            boots.add(segment.boot)
            assert segment.prev == prev
            prev = hashlib.sha256(raw).digest()

    assert len(boots) == 2


def test_no_two_payloads_share_salt_or_time() -> None:
    devices = make_devices("bench", 3)
    segments = [
        read_segment_strict(sign1.parse(raw).payload)
        for number, device in enumerate(devices)
        for raw in sign_device(device, number, plan(4))
    ]

    assert len({segment.salt for segment in segments}) == 12
    assert [s.t0 for s in segments[:4]] == [1_700_000_000_000 + 60_000 * n for n in range(4)]


def test_columns_are_the_drives_own_values() -> None:
    (device,) = make_devices("bench", 1)
    raws = sign_device(device, 0, plan(14))
    odometer = BY_PATH["Vehicle.TraveledDistanceHighRes"].id
    metres = [
        value
        for raw in raws
        for value in decode_column(
            read_segment_strict(sign1.parse(raw).payload).block.columns[odometer], SAMPLES
        )
        if value is not None
    ]

    assert metres == sorted(metres)
    assert 6_500 < metres[-1] - metres[0] <= 7_150
    assert not any(
        CATALOGUE[signal].driver
        for raw in raws
        for signal in read_segment_strict(sign1.parse(raw).payload).block.columns
    )


def test_drive_that_is_too_poor_for_a_fleet_is_refused() -> None:
    with pytest.raises(ValueError, match="has 4 signals, not 10"):
        blocks_of(records_of(recordings.COVESA))
