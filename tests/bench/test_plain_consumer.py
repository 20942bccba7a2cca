import json

from firmware_sim.fleet import SAMPLES, SIGNALS, blocks_of
from haulproof.bench.plain_consumer import plain_messages
from tests.firmware_sim import recordings
from tests.firmware_sim.recordings import records_of


def test_messages_carry_the_samples_that_the_fleet_signs() -> None:
    blocks = blocks_of(records_of(recordings.eclipse_truck()))
    messages = plain_messages(blocks, len(blocks) + 1, 1_700_000_000)
    told = [json.loads(payload) for _, payload in messages]
    first, again = told[0]["samples"], told[len(blocks)]["samples"]
    metres = [
        sample["Vehicle.TraveledDistanceHighRes"]
        for one in told[:-1]
        for sample in one["samples"]
        if sample["Vehicle.TraveledDistanceHighRes"] is not None
    ]

    assert all(len(one["samples"]) == SAMPLES for one in told)
    assert len(first[0]) == SIGNALS + 1
    assert metres == sorted(metres)
    assert 6_000 < metres[-1] - metres[0] < 7_500
    assert [{**sample, "time": ""} for sample in first] == [
        {**sample, "time": ""} for sample in again
    ]


def test_no_two_samples_have_one_vehicle_and_time() -> None:
    blocks = blocks_of(records_of(recordings.eclipse_truck()))
    messages = plain_messages(blocks, 5, 1_700_000_000)
    told = [json.loads(payload) for _, payload in messages]

    assert [topic for topic, _ in messages] == [f"fleet/{one['vehicle']}/samples" for one in told]
    assert len({(o["vehicle"], s["time"]) for o in told for s in o["samples"]}) == 5 * SAMPLES
