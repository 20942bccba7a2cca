"""Trips in a real database: what is committed, when, and that a crash never does it twice."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from exchange.derive.recompute import NotRecomputable, recompute
from exchange.derive.thresholds import CURRENT
from exchange.trips import repository
from exchange.trips.derivation import derive_vehicle
from exchange.trips.process import turn
from schemas.statements import device_key
from schemas.statements.trip import ChainFault
from schemas.statements.trip_content import EndRule
from tests.exchange.derive.recordings import (
    CARRIER,
    VEHICLE,
    Drive,
    Stretch,
    derived,
    made,
    recorded,
    segments_of,
    trips_of,
)
from tests.exchange.trips.log import Device, Log

FIFTY, RUNNING, OFF = 5_000, 2_400, 0
MINUTE = range(60, 100_000, 60)


@pytest.fixture
def log(postgres: str) -> Iterator[Log]:
    with psycopg.connect(postgres, autocommit=True) as conn:
        yield Log(conn)


@pytest.fixture
def truck(log: Log) -> Device:
    device = log.device("dev-1")
    log.bind(device)
    return device


def commit_drive(log: Log, device: Device, drive: Drive) -> list[int]:
    cuts = [cut for cut in MINUTE if cut < len(drive.rows)]
    return log.commit(log.seal(device, segments_of(drive.rows, cuts, drive.events)))


def test_recorded_drive_becomes_one_signed_trip(log: Log, truck: Device) -> None:
    indices = commit_drive(log, truck, recorded("eclipse_fms_truck"))

    committed = turn(log.conn, log.notary)

    (trip,) = log.trips()
    (expected,) = derived(recorded("eclipse_fms_truck")).trips
    assert committed == 1
    assert trip.content == expected
    assert trip.provenance.revision == 1
    assert trip.provenance.inputs == tuple(indices)
    assert trip.provenance.matches(log.digests(indices))
    assert trip.provenance.faults == ()
    assert len(trip.provenance.bindings) == 1


def test_trip_is_derived_again_from_the_statements_of_its_evidence(log: Log, truck: Device) -> None:
    commit_drive(log, truck, recorded("driveplotr_5"))
    turn(log.conn, log.notary)
    (trip,) = log.trips()
    statements = log.read(trip)

    assert recompute(trip, statements) == trip.content.digest
    assert recompute(trip, reversed(statements)) == trip.content.digest
    with pytest.raises(NotRecomputable, match="no sample"):
        recompute(trip, [])
    with pytest.raises(NotRecomputable, match="device key"):
        recompute(trip, [one for one in statements if one.header.type != "hp-dev"])


def test_nothing_new_commits_nothing(log: Log, truck: Device) -> None:
    commit_drive(log, truck, recorded("comma2k19"))
    turn(log.conn, log.notary)
    size = log.conn.execute("SELECT size FROM tree_head").fetchone()

    assert turn(log.conn, log.notary) == 0
    assert log.conn.execute("SELECT size FROM tree_head").fetchone() == size


def test_trip_is_committed_only_when_it_has_ended(log: Log, truck: Device) -> None:
    drive = made(Stretch(120, FIFTY, engine=RUNNING), Stretch(400, engine=OFF))
    segments = log.seal(truck, segments_of(drive.rows, [120, 300, 440]))

    committed = []
    for segment in segments:
        log.commit([segment])
        committed.append(turn(log.conn, log.notary))

    assert committed == [0, 0, 0, 1]
    assert log.trips()[0].content.end[1] is EndRule.ENGINE_OFF


def test_any_order_and_batching_of_segments_ends_in_the_same_content(postgres: str) -> None:
    leg = (Stretch(180, FIFTY, engine=RUNNING), Stretch(400, engine=OFF))
    drive = made(*leg, *leg, *leg)
    expected = [trip.digest for trip in derived(drive).trips]
    choose = random.Random(7)
    with psycopg.connect(postgres, autocommit=True) as conn:
        log = Log(conn)
        device = log.device("dev-1")
        log.bind(device)
        segments = log.seal(device, segments_of(drive.rows, [cut for cut in MINUTE if cut < 1_740]))
        choose.shuffle(segments)
        while segments:
            log.commit([segments.pop() for _ in range(choose.randint(1, min(4, len(segments))))])
            turn(conn, log.notary)
        standing = {(trip_id, revision) for trip_id, revision in log.standing()}
        latest = [
            trip.content.digest
            for trip in sorted(log.trips(), key=lambda one: one.content.start[0])
            if (trip.content.trip_id, trip.provenance.revision) in standing
        ]

    assert len(expected) == 3
    assert latest == expected


def test_late_data_makes_a_new_revision_that_names_the_old_one(log: Log, truck: Device) -> None:
    drive = recorded("driveplotr_5")
    segments = log.seal(truck, segments_of(drive.rows, [300, 340], drive.events))
    log.commit([segments[0], segments[2]])
    turn(log.conn, log.notary)
    log.commit([segments[1]])
    turn(log.conn, log.notary)

    first, second = log.trips()
    assert second.content == derived(drive).trips[0]
    assert (first.provenance.revision, second.provenance.revision) == (1, 2)
    assert second.provenance.supersedes == ((first.content.trip_id, 1),)
    assert [fault for _, fault in first.provenance.faults] == [ChainFault.MISSING]
    assert second.provenance.faults == ()
    assert log.standing() == [(second.content.trip_id, 2)]


def test_merged_trips_are_superseded_by_the_one_that_they_become(log: Log, truck: Device) -> None:
    drive = made(
        Stretch(120, FIFTY),
        Stretch(240),
        Stretch(10, FIFTY),
        Stretch(240),
        Stretch(120, FIFTY),
        Stretch(500),
    )
    segments = log.seal(truck, segments_of(drive.rows, [240, 480]))
    log.commit([segments[0], segments[2]])
    turn(log.conn, log.notary)
    before = log.trips()
    log.commit([segments[1]])
    turn(log.conn, log.notary)

    merged = log.trips()[-1]
    named = {(one.content.trip_id, 1) for one in before}
    assert len(before) == 2
    assert set(merged.provenance.supersedes) == named
    assert merged.provenance.revision == 2
    assert log.standing() == [(merged.content.trip_id, 2)]


def test_samples_without_binding_wait_for_it(log: Log) -> None:
    device = log.device("dev-1")
    drive = recorded("comma2k19")
    commit_drive(log, device, drive)
    before = turn(log.conn, log.notary)
    log.bind(device)

    assert before == 0
    assert turn(log.conn, log.notary) == 1
    assert log.trips()[0].content == derived(drive).trips[0]


def test_binding_that_ends_cuts_the_trip(log: Log) -> None:
    device = log.device("dev-1")
    drive = recorded("driveplotr_33")
    middle = drive.rows[700][0]
    index = log.bind(device, 0, middle)
    commit_drive(log, device, drive)
    turn(log.conn, log.notary)

    assert log.trips() == []
    log.bind(device, middle + 1, None)
    turn(log.conn, log.notary)
    (trip,) = log.trips()
    assert index in trip.provenance.bindings
    assert trip.content.samples == len(drive.rows) - 1
    assert recompute(trip, log.read(trip)) == trip.content.digest


def test_weakest_device_s_assurance_is_the_trip_s(log: Log, truck: Device) -> None:
    terminal = log.device("dev-2", device_key.TERMINAL_REPORTED)
    log.bind(terminal)
    drive = recorded("comma2k19")
    commit_drive(log, truck, drive)
    commit_drive(log, terminal, Drive(drive.rows[10:20], None))
    turn(log.conn, log.notary)

    (trip,) = log.trips()
    assert trip.content.assurance == device_key.TERMINAL_REPORTED
    assert recompute(trip, log.read(trip)) == trip.content.digest


def test_gap_statements_are_part_of_what_was_read(log: Log, truck: Device) -> None:
    drive = made(
        Stretch(60, FIFTY, engine=RUNNING),
        Stretch(30, FIFTY, engine=RUNNING, silent=True),
        Stretch(60, FIFTY, engine=RUNNING),
    )
    ended = Drive(drive.rows, drive.rows[-1][0])
    before, after = segments_of(ended.rows, [60], ended.events)
    log.commit(log.seal(truck, [before]))
    gap = log.commit_gap(truck, drive.rows[59][0], drive.rows[60][0])
    log.commit(log.seal(truck, [after]))
    turn(log.conn, log.notary)

    (trip,) = log.trips()
    assert gap in trip.provenance.inputs
    assert trip.provenance.matches(log.digests(trip.provenance.inputs))
    assert trip.provenance.faults == ()
    assert recompute(trip, log.read(trip)) == trip.content.digest


def test_long_history_is_derived_in_pieces(log: Log, truck: Device) -> None:
    """Fewer segments at a time than one trip has: pieces grow until it fits."""
    leg = (Stretch(600, FIFTY, engine=RUNNING), Stretch(400, engine=OFF))
    drive = made(*leg, *leg, *leg)
    commit_drive(log, truck, drive)
    with log.conn.transaction():
        repository.notice(log.conn, 10_000, 0)
    (pending,) = repository.pending(log.conn)

    outcome = derive_vehicle(log.conn, log.notary, pending, segments_max=4)

    assert outcome.committed == len(derived(drive).trips) == 3
    assert [trip.content for trip in log.trips()] == list(derived(drive).trips)
    assert repository.pending(log.conn) == []


def test_new_data_goes_on_from_where_all_is_settled(log: Log, truck: Device) -> None:
    leg = (Stretch(180, FIFTY, engine=RUNNING), Stretch(600, engine=OFF))
    drive = made(*leg, *leg)
    segments = log.seal(truck, segments_of(drive.rows, [780]))
    log.commit(segments[:1])
    turn(log.conn, log.notary)
    log.commit(segments[1:])
    with log.conn.transaction():
        repository.notice(log.conn, 10_000, 0)
        (pending,) = repository.pending(log.conn)
        resume_ms = repository.resume_from(log.conn, pending)

    assert pending.from_ms == drive.rows[780][0]
    assert drive.rows[180 + 300][0] <= resume_ms < drive.rows[780][0]
    assert turn(log.conn, log.notary) == 1
    assert [trip.content for trip in log.trips()] == list(derived(drive).trips)


def test_derived_to_passes_a_leaf_when_its_trip_can_be_seen(log: Log, truck: Device) -> None:
    indices = commit_drive(log, truck, recorded("comma2k19"))
    last, size = indices[-1], indices[-1] + 1
    before = repository.derived_to(log.conn, size)
    turn(log.conn, log.notary)

    assert before <= indices[0]
    assert repository.derived_to(log.conn, size) == last
    assert repository.derived_to(log.conn, size + 1) > last


def test_clock_that_is_far_ahead_does_not_end_the_trip(log: Log, truck: Device) -> None:
    drive = made(Stretch(120, FIFTY, engine=RUNNING))
    ahead = made(Stretch(5, FIFTY, engine=RUNNING), start_ms=1_900_000_000_000)
    segments = log.seal(truck, [*segments_of(drive.rows), *segments_of(ahead.rows)])
    log.commit(segments)

    assert turn(log.conn, replace(log.notary, now_ms=lambda: 1_700_000_200_000)) == 0
    assert turn(log.conn, log.notary) == 0


def test_clock_that_was_never_set_makes_no_trip_and_no_work(log: Log, truck: Device) -> None:
    """A drive dated 1970 behind one with a good clock: nothing is derived again."""
    good, unset = recorded("comma2k19"), made(Stretch(120, FIFTY), start_ms=5_000)
    commit_drive(log, truck, good)
    turn(log.conn, log.notary)
    commit_drive(log, truck, Drive(unset.rows, unset.rows[-1][0]))
    with log.conn.transaction():
        repository.notice(log.conn, 10_000, CURRENT.earliest_ms)

    assert repository.pending(log.conn) == []
    assert trips_of(Drive(unset.rows, unset.rows[-1][0])) == ()


class Killed(Exception):
    """Stands for a SIGKILL at a place in the derivation."""


@pytest.mark.parametrize(
    "place",
    [
        "exchange.trips.repository.resume_from",
        "exchange.trips.repository.save_settled",
        "exchange.trips.repository.revisions",
        "exchange.trips.derivation.commit_statement",
        "exchange.trips.repository.insert_trip",
        "exchange.trips.repository.settle_pending",
    ],
)
def test_derivation_that_is_killed_anywhere_is_repeated_to_the_same_trip(
    log: Log, truck: Device, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    commit_drive(log, truck, recorded("comma2k19"))
    with monkeypatch.context() as patched:
        patched.setattr(place, _killing(place))
        with pytest.raises(Killed):
            turn(log.conn, log.notary)
    interrupted = log.trips()

    assert interrupted == []
    assert turn(log.conn, log.notary) == 1
    assert [one.content for one in log.trips()] == list(derived(recorded("comma2k19")).trips)


def test_commit_whose_answer_was_lost_is_not_repeated(log: Log, truck: Device) -> None:
    """The trip is there, and the vehicle is derived once more: nothing is committed again."""
    commit_drive(log, truck, recorded("comma2k19"))
    turn(log.conn, log.notary)
    log.conn.execute("DELETE FROM trip_settled")
    log.conn.execute("INSERT INTO trip_pending VALUES (%s, %s, 0, 0)", [CARRIER, VEHICLE])

    assert turn(log.conn, log.notary) == 0
    assert len(log.trips()) == 1


def test_trips_can_be_dropped_and_derived_again_to_the_same_content(
    log: Log, truck: Device, owner: Connection[Any]
) -> None:
    commit_drive(log, truck, recorded("driveplotr_33"))
    turn(log.conn, log.notary)
    owner.execute("TRUNCATE trip, trip_settled, trip_pending")
    log.conn.execute("UPDATE trip_progress SET next_index = 0")
    turn(log.conn, log.notary)

    first, again = log.trips()
    assert first.content == again.content


def _killing(place: str) -> Callable[..., Any]:
    def kill(*_: object, **__: object) -> Any:
        raise Killed(place)

    return kill
