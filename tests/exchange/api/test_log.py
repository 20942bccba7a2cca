"""The published log, checked with what anyone can fetch."""

from ledger.checkpoint import open_checkpoint
from ledger.merkle import leaf_hash, root_from_leaf_hashes
from ledger.note import VKey
from ledger.tiles import decode_bundle, entries_path, tile_path
from schemas.cose.keys import PublicKey
from tests.exchange.api.conftest import Settled
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
