"""What a reader gets of trips and segments, and that a file of it verifies offline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from ledger.note import VKey
from ledger.policy import Policy, parse_policy
from schemas.statements.grant import Precision
from tests.exchange.committed import SAMPLES
from tests.exchange.owner import owner_url
from tests.exchange.world import T0, Device, Organisation, World

MINUTE_MS = SAMPLES * 1_000
END = T0 + 3 * MINUTE_MS


@dataclass
class Road:
    """Three minutes of one vehicle, its trip, the carrier and an insurer."""

    world: World
    acme: Organisation
    insurer: Organisation
    device: Device
    trip_id: str
    trip_index: int
    inputs: list[int]

    def get(self, path: str, reader: Organisation, **params: str) -> httpx.Response:
        return self.world.http.get(path, params=params, headers=reader.headers)

    def verify(self, data: bytes) -> Report:
        return verify_evidence(data, self.policy)

    @property
    def policy(self) -> Policy:
        return parse_policy(self.world.directory.policy.read_bytes())


@pytest.fixture
def road(world: World) -> Road:
    acme, insurer = world.admit("acme", "carrier"), world.admit("insurer-x", "insurer")
    device = world.add_device(acme, "dev-1", "v-1")
    inputs = [world.commit_segment(device, T0 + at * MINUTE_MS) for at in range(2)]
    inputs.append(world.commit_gap(device, T0 + 2 * MINUTE_MS, END))
    trip_id, index = world.commit_trip(device, T0, inputs)
    world.publish()
    return Road(world, acme, insurer, device, trip_id, index, inputs)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def test_a_carrier_reads_its_own_and_a_grant_opens_it_to_the_insurer(road: Road) -> None:
    own = road.get("/v1/trips", road.acme).json()
    before = road.get("/v1/trips", road.insurer).json()
    road.world.grant(road.acme, "insurer-x")
    after = road.get("/v1/trips", road.insurer).json()

    assert [item["id"] for item in own["items"]] == [road.trip_id]
    assert before == {**own, "items": []}
    assert after == own
    assert own["items"][0]["distance"]["gnss_m"] == 1333.0
    assert own["items"][0]["assurance"] == "agent-measured"
    assert own["items"][0]["start"]["position"] == {"latitude": 52.0, "longitude": 13.0}
    assert road.get(f"/v1/trips/{road.trip_id}", road.insurer).json() == own["items"][0]


def test_only_what_a_published_checkpoint_covers_is_served(road: Road) -> None:
    later, _ = road.world.commit_trip(road.device, T0 + 10 * MINUTE_MS, road.inputs)
    hidden = road.get("/v1/trips", road.acme).json()["items"]
    refused = road.get(f"/v1/trips/{later}", road.acme)
    road.world.publish()
    shown = road.get("/v1/trips", road.acme).json()["items"]

    assert [item["id"] for item in hidden] == [road.trip_id]
    assert refused.status_code == 403
    assert [item["id"] for item in shown] == [road.trip_id, later]


def test_a_revision_replaces_its_trip_once_published(road: Road) -> None:
    trip_id, _ = road.world.commit_trip(road.device, T0, road.inputs, revision=2)
    before = road.get(f"/v1/trips/{trip_id}", road.acme).json()
    road.world.publish()
    after = road.get("/v1/trips", road.acme).json()["items"]

    assert before["revision"] == 1
    assert [(item["id"], item["revision"]) for item in after] == [(trip_id, 2)]


@pytest.mark.parametrize("form", ["trip", "full"])
def test_evidence_of_a_trip_verifies_offline(road: Road, form: str) -> None:
    road.world.grant(road.acme, "insurer-x")
    answer = road.get(f"/v1/trips/{road.trip_id}/evidence", road.insurer, form=form)
    report = road.verify(answer.content)

    assert answer.headers["content-type"] == "application/octet-stream"
    assert (report.kind, report.findings) == (form, ())
    assert report.key_status_size is not None
    assert report.trip is not None
    assert report.trip.content.trip_id.hex() == road.trip_id


def test_evidence_of_a_trip_verifies_by_the_logs_second_key_alone(road: Road) -> None:
    road.world.grant(road.acme, "insurer-x")
    answer = road.get(f"/v1/trips/{road.trip_id}/evidence", road.insurer, form="trip")
    second = VKey.parse(road.world.directory.log_ml_dsa_vkey())

    assert verify_evidence(answer.content, Policy(logs=(second,))).verified


def test_evidence_of_segments_verifies_offline(road: Road) -> None:
    road.world.grant(road.acme, "insurer-x")
    answer = road.get(
        "/v1/segments/evidence",
        road.insurer,
        vehicle="v-1",
        **{"from": "2023-11-14T22:13:20Z", "to": "2023-11-14T23:00:00Z"},
    )
    report = road.verify(answer.content)

    assert (report.kind, report.findings) == ("segments", ())
    assert [reading.index for reading in report.signed.readings] == road.inputs


CLOSED: dict[str, tuple[dict[str, Any], list[str | None]]] = {
    "a grant without exact position": (
        {"precision": Precision.NONE},
        [None, "not-supported", "not-supported"],
    ),
    "a grant without vehicle identity": ({"identity": False}, [None, None, "not-supported"]),
    "a grant of some fields": (
        {"fields": ("distance",)},
        [None, "not-supported", "not-supported"],
    ),
    "a grant for another vehicle": ({"vehicles": ("v-2",)}, ["no-grant"] * 3),
    "a grant for later": ({"window_from_ms": END + 1}, ["outside-window"] * 3),
    "a grant for earlier": ({"window_to_ms": T0 + 1}, ["outside-window"] * 3),
    "a grant for all vehicles": ({"vehicles": ("*",)}, [None, None, None]),
    "a grant that fits to the millisecond": (
        {"window_from_ms": T0, "window_to_ms": END},
        [None, None, None],
    ),
}
"""For each grant: the refusal of the trip, of its signed form, and of its full form."""


@pytest.mark.parametrize("case", CLOSED)
def test_a_grant_opens_what_it_says_and_no_more(road: Road, case: str) -> None:
    changed, expected = CLOSED[case]
    road.world.grant(road.acme, "insurer-x", **changed)
    path = f"/v1/trips/{road.trip_id}"
    answers = [
        road.get(path, road.insurer),
        road.get(f"{path}/evidence", road.insurer, form="trip"),
        road.get(f"{path}/evidence", road.insurer, form="full"),
    ]

    got = [slug(answer) if answer.status_code == 403 else None for answer in answers]
    assert got == expected
    listed = road.get("/v1/trips", road.insurer).json()["items"]
    assert len(listed) == (expected[0] is None)


def test_precision_and_fields_cut_the_trip_down(road: Road) -> None:
    road.world.grant(road.acme, "insurer-x", precision=Precision.NONE, fields=("distance", "start"))
    item = road.get(f"/v1/trips/{road.trip_id}", road.insurer).json()

    assert item["distance"]["odometer_m"] == 1300
    assert item["start"]["position"] is None
    assert [item[name] for name in ("end", "duration", "speed", "events")] == [None] * 4


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"},
        {"from": "2030-01-01T00:00:00Z"},
        {"to": "2020-01-01T00:00:00Z"},
        {"cursor": "1000"},
        {"vehicle": "v-2"},
    ],
    ids=["a time", "since", "until", "a cursor at the end", "a vehicle without trips"],
)
def test_a_vehicle_that_a_grant_opens_may_have_no_trips(road: Road, asked: dict[str, str]) -> None:
    road.world.grant(road.acme, "insurer-x", vehicles=("*",))
    answer = road.get("/v1/trips", road.insurer, **{"vehicle": "v-1", **asked})

    assert (answer.status_code, answer.json().get("items")) == (200, [])


def test_a_list_is_refused_where_no_window_reaches(road: Road) -> None:
    road.world.grant(road.acme, "insurer-x", window_from_ms=END + 1)
    before = road.get("/v1/trips", road.insurer, vehicle="v-1", to="2023-11-14T22:00:00Z")
    across = road.get("/v1/trips", road.insurer, vehicle="v-1", **{"from": "2023-11-14T22:00:00Z"})

    assert (before.status_code, slug(before)) == (403, "outside-window")
    assert (across.status_code, across.json()["items"]) == (200, [])


def _as_owner(road: Road) -> psycopg.Connection[Any]:
    world = road.world
    return psycopg.connect(owner_url(world.directory, world.settings.database_url))


def _expire(road: Road, granted: dict[str, Any]) -> None:
    with _as_owner(road) as conn:
        conn.execute("UPDATE grant_record SET expires_ms = 1 WHERE index = %s", [granted["index"]])


def _revoke(road: Road, granted: dict[str, Any]) -> None:
    road.world.revoke(road.acme, granted)


@pytest.mark.parametrize(
    ("end", "expected"), [(_expire, "grant-expired"), (_revoke, "grant-revoked")]
)
def test_a_grant_that_has_ended_opens_nothing_any_more(
    road: Road, end: Callable[[Road, dict[str, Any]], None], expected: str
) -> None:
    granted = road.world.grant(road.acme, "insurer-x")
    evidence = f"/v1/trips/{road.trip_id}/evidence"
    assert road.get(evidence, road.insurer, form="full").status_code == 200
    end(road, granted)
    window = {"from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"}
    refused = [
        road.get(f"/v1/trips/{road.trip_id}", road.insurer),
        road.get(evidence, road.insurer, form="trip"),
        road.get("/v1/trips", road.insurer, vehicle="v-1"),
        road.get("/v1/segments/evidence", road.insurer, vehicle="v-1", **window),
    ]

    assert [(answer.status_code, slug(answer)) for answer in refused] == [(403, expected)] * 4
    assert road.get("/v1/trips", road.insurer).json()["items"] == []
    assert road.get("/v1/feed", road.insurer).json()["items"] == []


def test_a_stranger_cannot_tell_a_foreign_trip_from_none(road: Road) -> None:
    foreign = road.get(f"/v1/trips/{road.trip_id}", road.insurer)
    unknown = road.get(f"/v1/trips/{'0' * 32}", road.insurer)

    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
    assert slug(foreign) == "no-grant"


def test_driver_class_segments_are_in_no_file_for_an_insurer(road: Road) -> None:
    driver = road.world.commit_segment(road.device, T0 + 5 * MINUTE_MS, driver_class=True)
    road.world.publish()
    road.world.grant(road.acme, "insurer-x")
    window = {"from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"}

    def indices(reader: Organisation) -> list[int]:
        answer = road.get("/v1/segments/evidence", reader, vehicle="v-1", **window)
        return [reading.index for reading in road.verify(answer.content).signed.readings]

    assert indices(road.acme) == [*road.inputs, driver]
    assert indices(road.insurer) == road.inputs
    feed = road.get("/v1/feed", road.insurer).json()["items"]
    assert driver not in [item["index"] for item in feed]


def test_the_feed_brings_everything_once_in_the_order_of_the_log(road: Road) -> None:
    road.world.grant(road.acme, "insurer-x")
    seen: list[dict[str, Any]] = []
    cursor, more = "0", True
    while more:
        page = road.get("/v1/feed", road.insurer, cursor=cursor, limit="1").json()
        seen += page["items"]
        cursor, more = page["next_cursor"], page["more"]
    late = road.world.commit_segment(road.device, T0 - MINUTE_MS)
    road.world.publish()
    news = road.get("/v1/feed", road.insurer, cursor=cursor).json()["items"]

    assert [item["index"] for item in seen] == [*road.inputs, road.trip_index]
    assert [item["kind"] for item in seen] == ["segment", "segment", "gap", "trip"]
    assert [item["index"] for item in news] == [late]


def test_too_much_for_one_answer_says_how_to_narrow(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.segments.endpoints.STATEMENTS_MAX", 2)
    window = {"from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"}
    refused = road.get("/v1/segments/evidence", road.acme, vehicle="v-1", **window)
    window["to"] = refused.json()["detail"].split("to=")[1].split(",")[0]
    narrowed = road.get("/v1/segments/evidence", road.acme, vehicle="v-1", **window)

    assert (refused.status_code, slug(refused)) == (422, "range-too-large")
    assert narrowed.status_code == 200


def test_a_vehicle_that_two_carriers_have_is_asked_for_by_carrier(road: Road) -> None:
    rival = road.world.admit("rival", "carrier")
    other = road.world.add_device(rival, "dev-1", "v-1")
    road.world.commit_segment(other, T0)
    road.world.publish()
    for carrier in (road.acme, rival):
        road.world.grant(carrier, "insurer-x")
    window = {"vehicle": "v-1", "from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"}
    both = road.get("/v1/segments/evidence", road.insurer, **window)
    one = road.get("/v1/segments/evidence", road.insurer, carrier="rival", **window)
    own = road.get("/v1/segments/evidence", rival, **window)

    assert slug(both) == "ambiguous-vehicle"
    assert [len(road.verify(one.content).signed.readings), own.status_code] == [1, 200]


def test_every_read_is_in_the_access_log(road: Road) -> None:
    granted = road.world.grant(road.acme, "insurer-x")
    evidence = f"/v1/trips/{road.trip_id}/evidence"
    window = {"from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"}
    road.get("/v1/trips", road.insurer)
    road.get(f"/v1/trips/{road.trip_id}", road.insurer)
    road.get(evidence, road.insurer, form="full")
    road.get("/v1/segments/evidence", road.insurer, vehicle="v-1", **window)
    road.get("/v1/feed", road.insurer)
    with road.world.exchange.connection() as conn:
        rows = conn.execute(
            "SELECT operation, carrier, vehicles, grants, items FROM access_log ORDER BY id"
        ).fetchall()

    by_grant = ("acme", ["v-1"], [granted["index"]])
    assert rows == [
        ("trips", *by_grant, 1),
        ("trip", *by_grant, 1),
        ("trip-evidence-full", *by_grant, 1),
        ("segments-evidence", *by_grant, 3),
        ("feed", *by_grant, 4),
    ]


def test_nothing_leaves_when_the_access_log_cannot_be_written(road: Road) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    with _as_owner(road) as conn:
        conn.execute(rename.format("access_log", "away"))
    try:
        for path in ("/v1/trips", f"/v1/trips/{road.trip_id}", "/v1/feed"):
            url = f"{road.world.http.base_url}{path}"
            answer = httpx.get(url, headers=road.acme.headers)
            assert answer.status_code == 500
            assert "v-1" not in answer.text
    finally:
        with _as_owner(road) as conn:
            conn.execute(rename.format("away", "access_log"))
