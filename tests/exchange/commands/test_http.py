"""How a command meets a network that fails and an exchange that is busy."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from exchange.commands.credentials import Credentials, operator_credentials
from exchange.commands.http import Api
from exchange.directory import Directory
from exchange.exits import EnvironmentUnfit, WrongUsage


def answer(status: str, body: str, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


TOKEN = answer("200 OK", '{"access_token": "t"}')
BUSY = answer("503 Service Unavailable", '{"detail": "later"}')


@contextmanager
def speaking(*answers: bytes) -> Iterator[tuple[Credentials, list[bytes]]]:
    """A server that gives each connection the next answer; an empty one is a lost connection."""
    heard: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        for given in answers:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65_536))
                connection.sendall(given)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, args=[listening], daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Credentials(address, "acme", "secret"), heard
        thread.join(10)


def keys_of(heard: list[bytes]) -> set[bytes]:
    lines = [line for request in heard for line in request.split(b"\r\n")]
    return {line for line in lines if line.lower().startswith(b"idempotency-key")}


def test_a_post_is_sent_again_with_the_same_key() -> None:
    done = answer("201 Created", '{"done": true}')
    with speaking(TOKEN, b"", BUSY, done) as (credentials, heard), Api(credentials) as api:
        assert api.post("/v1/grants", {"statement": "AA"}) == {"done": True}

    assert len(heard) == 4
    assert len(keys_of(heard)) == 1


def test_an_exchange_that_stays_busy_is_told_so() -> None:
    with (
        speaking(*[BUSY] * 4) as (credentials, _),
        Api(credentials) as api,
        pytest.raises(EnvironmentUnfit, match="busy"),
    ):
        api.get("/v1/trips")


@pytest.mark.parametrize(
    "page",
    [
        answer("200 OK", "<html>", "text/html"),
        answer("501 Unsupported method", "<html>", "text/html"),
        answer("404 Not Found", '{"message": "no such page"}'),
        answer("404 Not Found", "[]"),
    ],
    ids=["a page", "no POST", "another API", "a list"],
)
def test_something_else_at_the_address_is_no_exchange(page: bytes) -> None:
    with (
        speaking(page) as (credentials, _),
        Api(credentials) as api,
        pytest.raises(EnvironmentUnfit, match="is no exchange"),
    ):
        api.get("/v1/trips")


def test_an_address_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="haulproof up"):
        Api(Credentials("http://127.0.0.1:port", "acme", "secret"))


def test_an_exchange_that_was_never_up_has_no_operator_yet(exchange_directory: Directory) -> None:
    with pytest.raises(EnvironmentUnfit, match="haulproof up"):
        operator_credentials(exchange_directory.root)
