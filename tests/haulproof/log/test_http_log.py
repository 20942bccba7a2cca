"""The client of published logs takes no answer on trust: not its length, not its place, not its
encoding."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from threading import Barrier
from types import MappingProxyType

import httpx
import pytest
import stamina

from exchange.exits import EnvironmentUnfit, WrongUsage
from haulproof.log.http_log import ANSWER_S_MAX, HttpLog, open_log
from ledger.tile_directory import TileDirectory
from ledger.verified_tree import LogUnsound, NotPublished, VerifiedTree
from tests.haulproof.log.web_server import Answer, Server, send, serving
from tests.ledger.made_log import MadeLog


@pytest.fixture
def server() -> Iterator[Server]:
    log = MadeLog()
    log.publish(300)
    with serving(log) as made, stamina.set_testing(True, attempts=3):
        yield made


def answer(
    body: bytes, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
) -> Answer:
    return lambda handler: send(handler, body, status, headers)


def test_what_is_served_is_read(server: Server) -> None:
    with open_log(server.url + "/") as log:
        assert log.checkpoint() == server.log.files["checkpoint"]
        assert log.tile(0, 0, 256) == server.log.files["tile/0/000"]
        assert log.entries(1, 44) == server.log.files["tile/entries/001.p/44"]
        with pytest.raises(NotPublished, match=r"tile/0/001\.p/45"):
            log.tile(0, 1, 45)


def test_a_bundle_may_come_compressed(server: Server) -> None:
    bundle = server.log.files["tile/entries/000"]
    asked = []

    def compressed(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        send(handler, gzip.compress(bundle), headers={"Content-Encoding": "gzip"})

    server.answers["tile/entries/000"] = compressed
    with open_log(server.url) as log:
        assert log.entries(0, 256) == bundle
    assert asked == ["gzip, identity"]


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (bytes(8_193), {}, "longer than 8192 bytes"),
        (gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}, "longer than 8192"),
        (gzip.compress(bytes(8_192))[:-9], {"Content-Encoding": "gzip"}, "no whole gzip stream"),
        (gzip.compress(bytes(8_192)) + b"x", {"Content-Encoding": "gzip"}, "no whole gzip stream"),
        (bytes(8_192), {"Content-Encoding": "gzip"}, "no gzip stream"),
        (zlib.compress(b"x"), {"Content-Encoding": "br"}, "encoding that was not asked for"),
    ],
    ids=["long", "bomb", "cut", "more after it", "not gzip", "other encoding"],
)
def test_an_answer_out_of_its_bounds_is_refused(
    server: Server, body: bytes, headers: dict[str, str], said: str
) -> None:
    server.answers["tile/0/000"] = answer(body, headers=headers)

    with open_log(server.url) as log, pytest.raises(LogUnsound, match=said):
        log.tile(0, 0, 256)


def test_an_endless_answer_is_given_up_at_its_limit(server: Server) -> None:
    sent: list[int] = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        try:
            while len(sent) < 10_000:
                sent.append(handler.wfile.write(bytes(65_536)))
        except OSError:
            handler.close_connection = True

    server.answers["checkpoint"] = endless
    with open_log(server.url) as log, pytest.raises(LogUnsound, match="longer than 1000000"):
        log.checkpoint()
    assert len(sent) < 10_000


def test_an_answer_that_drips_is_given_up(server: Server) -> None:
    times = count(step=ANSWER_S_MAX + 1)
    server.answers["tile/0/000"] = answer(bytes(8_192))

    with httpx.Client() as client, pytest.raises(EnvironmentUnfit, match="took longer than"):
        HttpLog(client, server.url, clock=lambda: next(times)).tile(0, 0, 256)


def test_a_redirection_is_told_and_not_followed(server: Server) -> None:
    server.answers["checkpoint"] = answer(b"", 302, {"Location": "http://127.0.0.1:1/elsewhere"})

    with open_log(server.url) as log, pytest.raises(EnvironmentUnfit, match="not followed") as told:
        log.checkpoint()

    assert "http://127.0.0.1:1/elsewhere" in str(told.value)
    assert server.asked == ["checkpoint"]


def test_text_from_a_server_does_not_steer_the_terminal(server: Server) -> None:
    server.answers["checkpoint"] = answer(b"", 302, {"Location": "http://127.0.0.1:1/\x1b[2Jx"})

    with open_log(server.url) as log, pytest.raises(EnvironmentUnfit) as told:
        log.checkpoint()

    assert str(told.value).isprintable()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(server: Server, status: int) -> None:
    left = [status, status]

    def busy_twice(handler: BaseHTTPRequestHandler) -> None:
        if left:
            send(handler, b"", left.pop())
        else:
            send(handler, server.log.files["checkpoint"])

    server.answers["checkpoint"] = busy_twice
    with open_log(server.url) as log:
        assert log.checkpoint() == server.log.files["checkpoint"]

    server.answers["checkpoint"] = answer(b"", status)
    with open_log(server.url) as log, pytest.raises(EnvironmentUnfit, match=f"status {status}"):
        log.checkpoint()


def test_an_answer_that_is_cut_off_is_asked_for_again(server: Server) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        del server.answers["tile/0/000"]
        send(handler, bytes(100), headers={"Content-Length": "8192"})
        handler.close_connection = True

    server.answers["tile/0/000"] = cut
    with open_log(server.url) as log:
        assert log.tile(0, 0, 256) == server.log.files["tile/0/000"]


def test_a_refusal_is_told(server: Server) -> None:
    server.answers["checkpoint"] = answer(b"", 403)

    with open_log(server.url) as log, pytest.raises(EnvironmentUnfit, match="status 403"):
        log.checkpoint()


def test_nobody_answering_is_told() -> None:
    with (
        stamina.set_testing(True, attempts=2),
        open_log("http://127.0.0.1:9/log") as log,
        pytest.raises(EnvironmentUnfit, match="no log answers at http://127"),
    ):
        log.checkpoint()


def test_a_directory_is_read_like_a_server(tmp_path: Path) -> None:
    with open_log(f"file://{tmp_path}/a%20b") as log:
        assert isinstance(log, TileDirectory)
        assert log.root == tmp_path / "a b"


@pytest.mark.parametrize(
    "url",
    ["", "example.com/log", "ftp://example.com/log", "http://", "http://a/log?x=1", "file://h/x"],
)
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    with pytest.raises(WrongUsage), open_log(url):
        pass


def test_several_bundles_are_on_their_way_at_once() -> None:
    log = MadeLog()
    checkpoint = log.publish(256 * 6 + 3)
    together = Barrier(3)
    with serving(log) as server:

        def wait_for_others(handler: BaseHTTPRequestHandler) -> None:
            together.wait(30)
            send(handler, log.files[handler.path.removeprefix("/log/")])

        server.answers |= {f"tile/entries/00{n}": wait_for_others for n in range(6)}
        with open_log(server.url) as reader:
            reader.checkpoint()
            tree = VerifiedTree(reader, checkpoint)
            read = [entry for n in range(7) for entry in tree.entries(n)]

    assert len(read) == tree.size
    assert sorted(path for path in server.asked if "entries" in path) == sorted(
        path for path in log.files if "entries" in path
    )


def test_nothing_is_asked_for_beyond_the_checkpoint_or_twice(server: Server) -> None:
    server.log.publish(256 * 3 + 1)
    with open_log(server.url) as log:
        log.checkpoint()
        for n in (2, 0, 1, 2):
            log.tile(0, n, 256)
        with pytest.raises(NotPublished):
            log.tile(0, 3, 256)

    assert set(server.asked) == {"checkpoint", *(f"tile/0/00{n}" for n in range(4))}
