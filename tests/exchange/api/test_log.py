"""The published log, checked with what anyone can fetch."""

from ledger.checkpoint import open_checkpoint
from ledger.evidence.key_status import KeyStatus
from ledger.leaf import leaf_entry
from ledger.merkle import leaf_hash, root_from_leaf_hashes
from ledger.note import VKey
from ledger.tiles import decode_bundle, entries_path, tile_path
from schemas.cose.keys import PublicKey
from schemas.cose.sign1 import parse, verify
from schemas.kinds import Kind, kind_of_type
from schemas.statements import revocation
from tests.exchange.api.conftest import Settled
from tests.exchange.device_keys import keys_of, revoke_newest
from tests.exchange.world import World


def test_tiles_and_entries_lead_to_the_signed_root(settled: Settled) -> None:
    http = settled.world.http
    log = http.get("/v1/log").json()
    checkpoint = open_checkpoint(http.get("/log/checkpoint").content, VKey.parse(log["vkey"]))
    size = checkpoint.head.size
    entries = decode_bundle(http.get(f"/log/{entries_path(0, size)}").content)
    tile = http.get(f"/log/{tile_path(0, 0, size)}")
    hashes = [leaf_hash(entry) for entry in entries]

    assert log["size"] == size == len(entries)
    assert b"".join(hashes) == tile.content
    assert root_from_leaf_hashes(hashes) == checkpoint.head.root
    assert "immutable" in tile.headers["cache-control"]
    assert http.get("/log/checkpoint.latest").content == checkpoint.note


def test_the_newest_checkpoint_is_signed_by_both_keys_of_the_log(settled: Settled) -> None:
    http = settled.world.http
    log = http.get("/v1/log").json()
    note = http.get("/log/checkpoint").content

    for name in ("vkey", "vkey_ml_dsa"):
        assert open_checkpoint(note, VKey.parse(log[name])).head.size == log["size"]


def test_the_logs_page_names_the_exchanges_keys(settled: Settled) -> None:
    log = settled.world.http.get("/v1/log").json()

    assert log["origin"] == settled.world.origin
    [key] = [PublicKey.from_cose_key(bytes.fromhex(text)) for text in log["exchange_keys"]]
    assert key.thumbprint == settled.world.exchange.signer.public.thumbprint


def test_a_tile_beyond_the_checkpoint_is_not_there_yet(world: World) -> None:
    assert world.http.get("/log/checkpoint").status_code == 503
    size = world.publish()
    world.admit("acme", "carrier")

    assert world.http.get(f"/log/{tile_path(0, 0, size)}").status_code == 200
    assert world.http.get(f"/log/{tile_path(0, 0, size + 1)}").status_code == 404


def test_who_follows_the_log_refutes_a_word_on_keys_that_hides_a_revocation(world: World) -> None:
    acme = world.admit("acme", "carrier")
    world.add_device(acme, "dev-1", "v-1")
    [key] = keys_of(world, acme, "dev-1")
    revoked = revoke_newest(world, acme, "dev-1")["revoked_index"]
    size = world.publish()
    lie = KeyStatus((bytes.fromhex(key["id"]),), size)
    bundle = world.http.get(f"/log/{entries_path(0, size)}").content
    refuted = []
    for index, entry in enumerate(decode_bundle(bundle)[: lie.tree_size]):
        answer = world.http.get(f"/log/key/{index}")
        if answer.status_code != 200 or entry[1] != Kind.REVOCATION:
            continue
        statement = parse(answer.content)
        assert leaf_entry(Kind.REVOCATION, statement.digest) == entry
        verify(statement, acme.signer.public)
        if revocation.decode(statement.payload).target_digest in lie.keys:
            refuted.append(index)

    assert refuted == [revoked]


def test_key_statements_are_published_by_index_and_nothing_else_is(world: World) -> None:
    acme = world.admit("acme", "carrier")
    world.admit("insurer-x", "insurer")
    world.add_device(acme, "dev-1", "v-1")
    revoke_newest(world, acme, "dev-1")
    granted = world.grant(acme, "insurer-x")
    world.revoke(acme, granted)
    world.http.post(
        "/v1/orgs/acme/revocation", json={}, headers=world.operator.headers
    ).raise_for_status()
    size = world.publish()
    world.admit("later", "carrier")
    published = [world.http.get(f"/log/key/{index}") for index in range(size + 1)]
    entries = decode_bundle(world.http.get(f"/log/{entries_path(0, size)}").content)
    found = {n: answer for n, answer in enumerate(published) if answer.status_code == 200}

    assert {answer.status_code for answer in published} == {200, 404}
    kinds = {n: parse(answer.content).header.type for n, answer in found.items()}
    assert sorted(kinds.values()) == ["hp-dev", *["hp-org"] * 3, *["hp-rev"] * 2]
    assert size not in found
    for n, answer in found.items():
        kind = kind_of_type(kinds[n])
        assert leaf_entry(kind, parse(answer.content).digest) == entries[n]
        assert "immutable" in answer.headers["cache-control"]
