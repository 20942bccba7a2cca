"""The proxy does to a connection what it says, and ``heal`` ends each of its faults."""

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.faults.parts import wait_until
from tests.faults.proxy import Proxy, Upstream

SAID = b"x" * 100_000


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is what this is about."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with closing(Proxy(Upstream(server.server_address[1]))) as made:
            yield made
        server.shutdown()


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def echo(client: socket.socket, said: bytes = b"hello") -> bytes:
    client.sendall(said)
    heard = b""
    while len(heard) < len(said):
        part = client.recv(65_536)
        if not part:
            break
        heard += part
    return heard


def is_reset(client: socket.socket) -> bool:
    """Whether the connection breaks at once, whichever call it is that notices."""
    try:
        for _ in range(3):
            client.sendall(b"more")
            client.recv(64)
    except ConnectionError:
        return True
    return False


def is_refused(proxy: Proxy) -> bool:
    """Whether a new connection breaks at once, possibly while it is made."""
    try:
        with connected(proxy) as client:
            return is_reset(client)
    except ConnectionError:
        return True


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "drop": Proxy.drop,
    "delay": lambda proxy: proxy.delay(0.05),
    "truncate": lambda proxy: proxy.truncate(3),
    "half-open": Proxy.half_open,
}


def test_a_healthy_network_changes_nothing(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert echo(client, SAID) == SAID
    assert proxy.passed == 2 * len(SAID)
    assert proxy.touched == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_after_heal_a_new_connection_works_whatever_was_wrong(proxy: Proxy, fault: str) -> None:
    with connected(proxy) as before:
        assert echo(before) == b"hello"
        FAULTS[fault](proxy)
        with suppress(OSError), connected(proxy) as during:
            during.settimeout(0.2)
            echo(during)
        wait_until(lambda: proxy.touched > 0, f"{fault} is felt")
        proxy.heal()
        with connected(proxy) as after:
            assert echo(after, SAID) == SAID


def test_drop_resets_open_connections_and_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert echo(client) == b"hello"
        proxy.drop()
        assert is_reset(client)
    assert is_refused(proxy)


def test_delay_holds_back_every_byte_and_loses_none(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert echo(client) == b"hello"
        proxy.delay(0.1)
        began = time.monotonic()
        assert echo(client, SAID) == SAID
        assert time.monotonic() - began >= 0.2


def test_truncate_ends_an_answer_in_its_middle(proxy: Proxy) -> None:
    proxy.truncate(3)
    with connected(proxy) as client:
        client.sendall(b"hello")
        heard = client.recv(64)
        assert is_reset(client)
    assert b"hel".startswith(heard)


def test_a_half_open_connection_stays_silent_until_it_is_reset(proxy: Proxy) -> None:
    with connected(proxy) as old, connected(proxy) as idle:
        assert echo(old) == echo(idle) == b"hello"
        proxy.half_open()
        with connected(proxy) as new:
            for client in (old, new):
                client.settimeout(0.1)
                client.sendall(b"hello")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            proxy.heal()
            for client in (old, idle, new):
                client.settimeout(5)
                with pytest.raises(ConnectionError):
                    client.recv(1)


def test_a_half_open_connection_that_nobody_resets_stays_silent(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert echo(old) == b"hello"
        proxy.half_open()
        proxy.heal(tell=False)
        old.settimeout(0.1)
        old.sendall(b"hello")
        with pytest.raises(TimeoutError):
            old.recv(1)
        with connected(proxy) as new:
            assert echo(new) == b"hello"


def test_a_server_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()
        with closing(Proxy(Upstream(path))) as proxy, connected(proxy) as client:
            client.sendall(b"hello")
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(5) == b"hello"


def test_a_server_that_is_away_resets(tmp_path: Path) -> None:
    with closing(Proxy(Upstream(tmp_path / "nobody"))) as nobody:
        assert is_refused(nobody)
