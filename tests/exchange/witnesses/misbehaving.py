"""Witnesses that should not be believed: real servers, each with one habit.

A habit gets the request's body and writes whatever it likes to the socket.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

from ledger.checkpoint import TreeHead, unverified_head
from ledger.cosignature import cosign
from ledger.note import NoteSigner, format_lines
from ledger.witness.request import AddCheckpoint, parse_request

Habit = Callable[[bytes, BinaryIO], None]

NOW_S = 1_750_000_000


def answering(status: int, body: bytes, content_type: str = "text/plain", more: str = "") -> Habit:
    """The same answer to everything."""

    def answer(_request: bytes, out: BinaryIO) -> None:
        out.write(
            f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {content_type}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        out.write(body)

    return answer


def conflict(size: int | str) -> Habit:
    """It always says that it stands at this size."""
    return answering(409, f"{size}\n".encode(), "text/x.tlog.size")


def cosigning(
    *signers: NoteSigner, of: Callable[[TreeHead], TreeHead] = lambda head: head
) -> Habit:
    """It cosigns whatever comes, or what ``of`` makes of it."""

    def answer(request: bytes, out: BinaryIO) -> None:
        head = of(unverified_head(parse_request(request).note)[0])
        lines = format_lines([cosign(head, signer, NOW_S) for signer in signers])
        answering(200, lines)(request, out)

    return answer


def standing_at(size: int, signer: NoteSigner, seen: list[AddCheckpoint]) -> Habit:
    """It wants the proof from its size, and keeps what it was sent."""

    def answer(request: bytes, out: BinaryIO) -> None:
        parsed = parse_request(request)
        seen.append(parsed)
        if parsed.old_size == size:
            cosigning(signer)(request, out)
        else:
            conflict(size)(request, out)

    return answer


def endless(_request: bytes, out: BinaryIO) -> None:
    """A body without an end."""
    out.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    with suppress(OSError):
        while True:
            out.write(b"x" * 65_536)


def no_http(_request: bytes, out: BinaryIO) -> None:
    """Bytes that are no HTTP at all."""
    out.write(b"\x00\xffnot http\r\n\r\n")


def hanging_up(_request: bytes, _out: BinaryIO) -> None:
    """Not a byte."""


def breaking_off(_request: bytes, out: BinaryIO) -> None:
    """Half of an answer."""
    out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhalf")


class Silence:
    """It takes the request and answers nothing until it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.waited_out = False

    def __call__(self, _request: bytes, _out: BinaryIO) -> None:
        self.asked.set()
        self.waited_out = not self.let_go.wait(30)


@contextmanager
def serving(habit: Habit) -> Iterator[str]:
    """Its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            with suppress(OSError):
                habit(body, self.wfile)  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"
