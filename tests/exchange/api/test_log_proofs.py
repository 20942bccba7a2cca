"""The log asked by leaf hash, digest and subject; each answer is checked as a stranger would."""

from typing import Any

import httpx
import psycopg
import pytest

from exchange.transparency import leaf_lookup
from ledger import receipt as receipts
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.evidence.leaf_proofs import leaf_of, verify_receipts, verify_tlog_proof
from ledger.leaf import statement_leaf_hash
from ledger.merkle import verify_consistency, verify_inclusion
from ledger.note import VKey
from ledger.policy import Policy
from ledger.tlog_proof import parse_proof
from schemas.kinds import Kind
from tests.exchange.api.conftest import Settled
from tests.exchange.owner import owner_url
from tests.exchange.world import T0, Organisation, World


def key_of(world: World) -> VKey:
    return VKey.parse(world.exchange.log_vkey)


def policy_of(world: World) -> Policy:
    return Policy(logs=(key_of(world),))


def raw_trip(world: World, index: int) -> bytes:
    with world.exchange.connection() as conn:
        row = conn.execute("SELECT raw FROM statement WHERE index = %s", [index]).fetchone()
    assert row is not None
    return bytes(row[0])


def check(world: World, leaf: dict[str, Any], note: str) -> Checkpoint:
    """The proof of one leaf in an answer, down to the log's signature."""
    checkpoint = open_checkpoint(note.encode(), key_of(world))
    wanted = statement_leaf_hash(leaf["kind"], bytes.fromhex(leaf["digest"]))
    path = [bytes.fromhex(item) for item in leaf["path"]]
    assert leaf["leaf_hash"] == wanted.hex()
    verify_inclusion(wanted, leaf["index"], checkpoint.head.size, path, checkpoint.head.root)
    return checkpoint


@pytest.fixture
def road(world: World) -> tuple[World, Organisation, list[int]]:
    """acme with a truck, its segments, a gap and a trip, published."""
    acme = world.admit("acme", "carrier")
    device = world.add_device(acme, "dev-1", "v-1")
    indices = [world.commit_segment(device, T0 + 60_000 * number) for number in range(3)]
    indices.append(world.commit_gap(device, T0 + 180_000, T0 + 240_000))
    indices.append(world.commit_trip(device, T0, indices[:3])[1])
    world.publish()
    return world, acme, indices


Road = tuple[World, Organisation, list[int]]


def test_every_leaf_is_found_by_its_digest_and_by_its_hash(road: Road) -> None:
    world, _, _ = road
    with world.exchange.connection() as conn:
        rows = conn.execute("SELECT index, kind, digest FROM leaf ORDER BY index").fetchall()

    for index, kind, digest in rows:
        leaf_hash = statement_leaf_hash(kind, bytes(digest)).hex()
        for place in (f"records/{bytes(digest).hex()}", f"leaves/{leaf_hash}"):
            answer = world.http.get(f"/v1/log/{place}").json()
            assert (answer["leaf"]["index"], answer["leaf"]["kind"]) == (index, kind)
            checkpoint = check(world, answer["leaf"], answer["checkpoint"])
            assert answer["tree_size"] == checkpoint.head.size == len(rows)


def test_a_receipt_and_a_tlog_proof_are_verified_offline(road: Road) -> None:
    world, _, indices = road
    leaf = leaf_of(raw_trip(world, indices[-1]))
    assert leaf.statement is not None
    path = f"/v1/log/records/{leaf.statement.digest.hex()}"

    receipt = world.http.get(path, params={"form": "receipt"})
    assert receipt.headers["content-type"] == "application/scitt-receipt+cose"
    read = receipts.parse(receipt.content)
    assert verify_receipts([read], leaf, policy_of(world)).verified
    by_hash = world.http.get(f"/v1/log/leaves/{leaf.hash.hex()}", params={"form": "receipt"})
    assert by_hash.content == receipt.content

    proof = world.http.get(path, params={"form": "tlog-proof"})
    assert proof.headers["content-type"].startswith("text/plain")
    assert verify_tlog_proof(parse_proof(proof.content), leaf, policy_of(world)).verified


def test_each_checkpoint_has_one_signature_for_its_receipts(road: Road) -> None:
    world, acme, _ = road
    world.add_device(acme, "dev-2", "v-2")
    world.publish()
    with world.exchange.connection() as conn:
        found = conn.execute(
            """
            SELECT c.size, c.note, r.signature FROM checkpoint c
            LEFT JOIN receipt_signature r USING (size) ORDER BY c.size
            """
        ).fetchall()

    assert len(found) == 2
    signer = world.directory.log_signer()
    for _, note, signature in found:
        head = open_checkpoint(bytes(note), key_of(world)).head
        assert bytes(signature) == receipts.sign_root(head, signer)


def test_a_checkpoint_from_before_receipts_gets_its_signature_at_the_next_turn(
    road: Road,
) -> None:
    world, _, indices = road
    digest = leaf_of(raw_trip(world, indices[-1])).statement
    assert digest is not None
    path = f"/v1/log/records/{digest.digest.hex()}"
    with psycopg.connect(owner_url(world.directory, world.settings.database_url)) as owner:
        owner.execute("DELETE FROM receipt_signature")

    asked = world.http.get(path, params={"form": "receipt"})
    assert asked.status_code == 503
    assert asked.json()["type"].endswith(":busy")
    world.publish()
    assert world.http.get(path, params={"form": "receipt"}).status_code == 200


def test_the_log_shows_that_it_only_grew(road: Road) -> None:
    world, acme, _ = road
    older = open_checkpoint(world.http.get("/log/checkpoint").content, key_of(world)).head
    world.add_device(acme, "dev-2", "v-2")
    world.publish()

    asked = {"older": str(older.size)}
    answer = world.http.get("/v1/log/consistency", params=asked).json()
    newer = open_checkpoint(answer["checkpoint"].encode(), key_of(world)).head
    path = [bytes.fromhex(item) for item in answer["path"]]
    verify_consistency(older.size, newer.size, path, older.root, newer.root)

    raw = world.http.get("/v1/log/consistency", params={**asked, "form": "receipt"}).content
    read = receipts.parse(raw)
    assert receipts.verify_consistency_receipt(read, key_of(world), older.root) == newer


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("records/" + "00" * 32, 404, "not-found"),
        ("leaves/" + "00" * 32, 404, "not-found"),
        ("records/00", 422, "invalid-request"),
        ("leaves/" + "AB" * 32, 422, "invalid-request"),
        ("consistency?older=0", 422, "invalid-request"),
        ("consistency?older=2", 404, "not-found"),
        ("consistency?older=9000", 404, "not-found"),
        ("consistency", 422, "invalid-request"),
    ],
)
def test_what_is_not_in_the_log_is_told_apart(
    settled: Settled, path: str, status: int, slug: str
) -> None:
    answer = settled.world.http.get(f"/v1/log/{path}")

    assert answer.status_code == status, answer.text
    assert answer.json()["type"].endswith(f":{slug}")


def test_a_leaf_that_no_checkpoint_covers_is_not_there_yet(road: Road) -> None:
    world, acme, _ = road
    world.add_device(acme, "dev-2", "v-2")
    with world.exchange.connection() as conn:
        row = conn.execute("SELECT digest FROM leaf ORDER BY index DESC LIMIT 1").fetchone()
    assert row is not None
    path = f"/v1/log/records/{bytes(row[0]).hex()}"

    assert world.http.get(path).status_code == 404
    world.publish()
    assert world.http.get(path).status_code == 200


def test_a_log_of_one_leaf_has_a_tlog_proof_and_no_receipt(world: World) -> None:
    assert world.publish() == 1
    with world.exchange.connection() as conn:
        row = conn.execute("SELECT digest FROM leaf").fetchone()
    assert row is not None
    path = f"/v1/log/records/{bytes(row[0]).hex()}"

    refused = world.http.get(path, params={"form": "receipt"})
    assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (422, "no-receipt")
    proof = world.http.get(path, params={"form": "tlog-proof"}).content
    assert parse_proof(proof).path == ()
    same = world.http.get("/v1/log/consistency", params={"older": "1", "form": "receipt"})
    assert same.status_code == 422


def test_leaves_are_entered_in_steps_and_an_answer_is_never_a_guess(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _, _ = road
    monkeypatch.setattr(leaf_lookup, "LEAVES_PER_ASK", 4)
    with world.exchange.connection() as conn:
        rows = conn.execute("SELECT kind, digest FROM leaf ORDER BY index").fetchall()
    last = statement_leaf_hash(rows[-1][0], bytes(rows[-1][1])).hex()

    answers = [world.http.get(f"/v1/log/leaves/{last}") for _ in range(-(-len(rows) // 4))]

    assert {answer.status_code for answer in answers[:-1]} == {503}
    assert "4 of" in answers[0].json()["detail"]
    assert answers[-1].json()["leaf"]["index"] == len(rows) - 1


def test_a_step_that_somebody_else_is_about_is_left_to_them(road: Road) -> None:
    world, _, _ = road
    with world.exchange.connection() as conn:
        row = conn.execute("SELECT kind, digest FROM leaf ORDER BY index LIMIT 1").fetchone()
    assert row is not None
    asked = f"/v1/log/leaves/{statement_leaf_hash(row[0], bytes(row[1])).hex()}"

    with world.exchange.connection() as other:
        other.execute("SELECT * FROM leaf_lookup_progress FOR UPDATE")
        assert world.http.get(asked).status_code == 503
    assert world.http.get(asked).status_code == 200


def about(org: Organisation, http: httpx.Client, subject: str, **params: str) -> httpx.Response:
    return http.get("/v1/log/records", params={"subject": subject, **params}, headers=org.headers)


def test_a_carrier_sees_every_leaf_of_its_vehicle(road: Road) -> None:
    world, acme, indices = road
    answer = about(acme, world.http, "v-1").json()

    for item in answer["items"]:
        check(world, item, answer["checkpoint"])
    kinds = {item["index"]: item["kind"] for item in answer["items"]}
    assert set(indices) < set(kinds)
    assert Kind.BINDING in kinds.values()
    assert {item["organisation"] for item in answer["items"]} == {"acme"}
    assert list(kinds) == sorted(kinds)


def test_pages_go_on_where_they_ended(road: Road) -> None:
    world, acme, _ = road
    whole = about(acme, world.http, "v-1").json()["items"]
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {} if cursor is None else {"cursor": cursor}
        page = about(acme, world.http, "v-1", limit="2", **params).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert [item["index"] for item in found] == [item["index"] for item in whole]


def test_a_reader_sees_what_its_grant_opens_and_the_read_is_logged(road: Road) -> None:
    world, acme, indices = road
    insurer = world.admit("insurer-x", "insurer")
    assert about(insurer, world.http, "v-1").status_code == 403
    narrow = world.grant(acme, "insurer-x", fields=("distance",), identity=False)
    world.publish()

    trips = about(insurer, world.http, "v-1").json()["items"]
    assert [item["index"] for item in trips] == [indices[-1]]
    world.revoke(acme, narrow)
    world.grant(acme, "insurer-x")
    world.publish()
    everything = about(insurer, world.http, "v-1").json()["items"]
    assert [item["index"] for item in everything] == indices

    with world.exchange.connection() as conn:
        logged = conn.execute(
            "SELECT carrier, items FROM access_log WHERE operation = 'log-records' ORDER BY id"
        ).fetchall()
    assert logged == [("acme", 1), ("acme", len(indices))]


def test_a_grantee_sees_its_grants_and_nobody_elses(road: Road) -> None:
    world, acme, _ = road
    insurer, rival = world.admit("insurer-x", "insurer"), world.admit("rival", "carrier")
    world.grant(acme, "insurer-x")
    world.publish()

    kinds = [item["kind"] for item in about(insurer, world.http, "insurer-x").json()["items"]]
    assert sorted(kinds) == [Kind.GRANT, Kind.ORG_KEY]
    assert about(acme, world.http, "insurer-x").json()["items"][0]["kind"] == Kind.GRANT
    assert about(rival, world.http, "insurer-x").status_code == 403
