"""Web servers for logs: one that hosts a folder, one whose every answer a test decides."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any

from tests.ledger.made_log import MadeLog

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A log over HTTP at ``url``: its files, unless ``answers`` has another answer for a path."""

    def __init__(self, log: MadeLog) -> None:
        self.log = log
        self.answers: dict[str, Answer] = {}
        self.url = ""
        self.asked: list[str] = []


@contextmanager
def serving(log: MadeLog) -> Iterator[Server]:
    made = Server(log)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.removeprefix("/log/")
            made.asked.append(path)
            answer = made.answers.get(path)
            if answer is not None:
                answer(self)
            elif path in made.log.files:
                send(self, made.log.files[path])
            else:
                send(self, b"", 404)

        def log_message(self, *_: Any) -> None:
            pass

    with _running(Handler) as port:
        made.url = f"http://127.0.0.1:{port}/log"
        yield made


@contextmanager
def hosting(root: Path) -> Iterator[str]:
    """A plain web server over a folder, Python's own; its URL."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

    with _running(partial(Handler, directory=str(root))) as port:
        yield f"http://127.0.0.1:{port}"


def send(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if "Content-Length" not in headers:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that has read enough hangs up: nothing to tell."""


@contextmanager
def _running(handler: Any) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
