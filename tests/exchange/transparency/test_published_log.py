"""What /log/ serves is C2SP tlog-tiles: paths, widths, types, caching, compression, HEAD."""

import gzip
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from exchange.transparency.endpoints import accepts_gzip
from exchange.transparency.repository import append_leaves
from haulproof.__main__ import main
from ledger.tiles import entries_path, partial_tiles, tile_path
from tests.exchange.world import World
from tests.ledger.second_recheck import from_directory, from_http, recheck

_FOR_EVER = "public, max-age=31536000, immutable"


def grow(world: World, count: int) -> int:
    """Commit leaves as intake would; the size of the checkpoint over them."""
    with world.exchange.connection() as conn:
        append_leaves(conn, [(1, bytes([count % 256, n % 256]) * 16) for n in range(count)])
    return world.publish()


def get(world: World, path: str, encoding: str = "identity") -> httpx.Response:
    return world.http.get(f"/log/{path}", headers={"Accept-Encoding": encoding})


def test_the_served_log_passes_the_recheck_at_every_size(world: World) -> None:
    fetch = from_http(world.http, "/log")
    for count in (3, 250, 4, 1, 3_000):
        size = grow(world, count)
        assert recheck(fetch, world.exchange.log_vkey) == size


def test_partial_tiles_of_every_checkpoint_stay(world: World) -> None:
    sizes = [grow(world, count) for count in (5, 200, 400)]

    for size in sizes:
        for level, n, width in partial_tiles(size):
            answer = get(world, tile_path(level, n, width))
            assert (answer.status_code, len(answer.content)) == (200, 32 * width)
            if level == 0:
                assert get(world, entries_path(n, width)).status_code == 200


def test_headers_are_those_of_the_specification(world: World) -> None:
    grow(world, 300)

    for path in ("tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/entries/001.p/44"):
        answer = get(world, path)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Cache-Control"] == _FOR_EVER
    for path in ("checkpoint", "checkpoint.latest"):
        answer = get(world, path)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"


def test_bundles_are_compressed_for_whoever_asks(world: World) -> None:
    grow(world, 300)

    plain = get(world, "tile/entries/000")
    packed = get(world, "tile/entries/000", "gzip, identity")
    with world.http.stream(
        "GET", "/log/tile/entries/000", headers={"Accept-Encoding": "gzip"}
    ) as answer:
        raw = b"".join(answer.iter_raw())

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.content == packed.content == gzip.decompress(raw)
    assert len(raw) < len(plain.content)
    assert "Content-Encoding" not in get(world, "tile/0/000", "gzip").headers


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("identity, x-gzip", True),
        ("", False),
        ("identity", False),
        ("*", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("notgzip", False),
        (";;,,q=0;gzip", False),
    ],
)
def test_gzip_is_what_a_client_names(asked: str, accepted: bool) -> None:
    assert accepts_gzip(asked) == accepted


def test_head_says_what_get_would(world: World) -> None:
    grow(world, 300)

    for path in ("checkpoint", "checkpoint.latest", "tile/0/000", "tile/entries/001.p/44"):
        got, head = (
            world.http.request(method, f"/log/{path}", headers={"Accept-Encoding": "identity"})
            for method in ("GET", "HEAD")
        )
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Length", "Cache-Control"):
            assert head.headers[name] == got.headers[name]
    assert world.http.head("/log/tile/0/002").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/64/000",
        "tile/8/0/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/001.p/45",
        "tile/0/001",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/entries/001",
        "tile/entries/002.p/1",
        "tile/data/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/" + "x999/" * 20 + "999",
    ],
)
def test_what_no_checkpoint_covers_is_not_there(world: World, path: str) -> None:
    grow(world, 299)  # the exchange's own record is the first leaf

    answer = get(world, path)

    assert answer.status_code == 404, answer.text
    if len(path) < 100:
        assert answer.headers["Cache-Control"] == "no-store"


def test_our_own_monitor_and_mirror_read_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{str(world.http.base_url).rstrip('/')}/log"
    key = ["--log-key", world.exchange.log_vkey, "--json"]
    monitor = ["log", "monitor", url, "--once", "--state", str(tmp_path / "state"), *key]
    mirror = ["log", "mirror", url, str(tmp_path / "copy"), *key]
    seen: Counter[str] = Counter()
    for count in (3, 250, 700):
        size = grow(world, count)

        assert main(monitor) == main(mirror) == 0

        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [one["size"] for one in told] == [size, size]
        seen += Counter(told[0]["kinds"])
        assert recheck(from_directory(tmp_path / "copy"), world.exchange.log_vkey) == size
    assert seen == {"org-key": 1, "segment": 953}


def test_either_key_of_the_log_is_enough(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{str(world.http.base_url).rstrip('/')}/log"
    grow(world, 3)

    for number, key in enumerate((world.exchange.log_vkey, world.exchange.log_ml_dsa_vkey)):
        state = str(tmp_path / str(number))
        assert main(["log", "monitor", url, "--once", "--state", state, "--log-key", key]) == 0
        assert "4 leaves" in capsys.readouterr().out
