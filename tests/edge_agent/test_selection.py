from edge_agent.selection import DISCOVERY_MS, HOLD_MS, Admitted, Selector, Sender
from schemas.catalogue import BY_PATH

SPEED = BY_PATH["Vehicle.Speed"].id
ODOMETER = BY_PATH["Vehicle.TraveledDistanceHighRes"].id
LATITUDE = BY_PATH["Vehicle.CurrentLocation.Latitude"].id
SATELLITES = BY_PATH["Vehicle.CurrentLocation.GNSSReceiver.SatellitesUsed"].id

ENGINE, CAB = Sender("j1939", 84, 0x00), Sender("j1939", 84, 0x31)
CLUSTER, OTHER = Sender("j1939", 917, 0x17), Sender("j1939", 917, 0x00)
RECEIVER, ON_CAN = Sender("nmea"), Sender("canmod")


def test_the_better_sender_of_two_that_are_alive_is_believed() -> None:
    selector = Selector()

    assert selector.admit(SPEED, CAB, 0, 1.0)
    assert selector.admit(SPEED, ENGINE, 100, 2.0)
    assert not selector.admit(SPEED, CAB, 200, 1.0)


def test_a_worse_sender_takes_over_only_after_silence() -> None:
    selector = Selector()
    selector.admit(SPEED, ENGINE, 0, 2.0)

    assert not selector.admit(SPEED, CAB, HOLD_MS, 1.0)
    assert selector.admit(SPEED, CAB, HOLD_MS + 1, 1.0)


def test_an_odometer_is_chosen_after_listening_and_nothing_of_it_is_lost() -> None:
    selector = Selector()

    assert selector.admit(ODOMETER, OTHER, 0, 57_088_760.0) is None
    assert selector.admit(ODOMETER, CLUSTER, 300, 57_090_690.0) is None
    assert selector.settle(DISCOVERY_MS - 1) == []
    assert selector.settle(DISCOVERY_MS) == [Admitted(ODOMETER, 300, 57_090_690.0)]
    assert selector.admit(ODOMETER, CLUSTER, 2_000, 57_090_695.0)


def test_odometers_of_two_senders_are_never_mixed_however_long_one_is_silent() -> None:
    selector = Selector()
    selector.admit(ODOMETER, OTHER, 0, 1.0)
    selector.settle(DISCOVERY_MS)

    assert not selector.admit(ODOMETER, CLUSTER, 3_600_000, 2.0)
    assert selector.admit(ODOMETER, OTHER, 3_600_000, 1.0)


def test_a_position_comes_from_one_receiver_as_a_whole() -> None:
    selector = Selector()

    assert selector.admit(SATELLITES, ON_CAN, 0, 9)
    assert selector.admit(LATITUDE, RECEIVER, 100, 55.0)
    assert not selector.admit(LATITUDE, ON_CAN, 200, 55.0)
    assert not selector.admit(SATELLITES, ON_CAN, 200, 9)
    assert selector.admit(SATELLITES, RECEIVER, 200, 7)


def test_a_corrected_clock_moves_what_is_held_back() -> None:
    selector = Selector()
    selector.admit(ODOMETER, CLUSTER, 0, 5.0)
    selector.shift(1_000_000)

    assert selector.settle(1_000_000 + DISCOVERY_MS) == [Admitted(ODOMETER, 1_000_000, 5.0)]
