"""A listening TCP socket and its clients, each waited for: nothing is silently dropped."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

LOOPBACK = "127.0.0.1"
CLIENTS_MAX = 16

_ACCEPT_PAUSE_S = 0.05
_READ_BYTES = 4_096

Greeting = Callable[[socket.socket], Awaitable[bool]]
"""Talks to a new client until it may hear what is played; False when it may not."""


class Listener:
    """Serves every client that connects the same bytes, from when it is ready on.

    ``send`` returns when every client's socket has taken the bytes, so the slowest sets the pace.
    """

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self._clients: dict[socket.socket, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: socket.socket | None = None
        self.first_client = asyncio.Event()

    def bind(self, port: int) -> int:
        """Listen on loopback; returns the port. ``OSError`` when it is taken or not allowed."""
        server = socket.create_server((LOOPBACK, port), backlog=CLIENTS_MAX)
        server.setblocking(False)
        self._server = server
        self._start(self._accept(server))
        bound: int = server.getsockname()[1]
        return bound

    @property
    def clients(self) -> int:
        """How many clients hear what is sent now."""
        return len(self._clients)

    async def send(self, data: bytes) -> int:
        """Send to every client and wait for all; returns how many took it."""
        if not self._clients or not data:
            return len(self._clients)
        taken = await asyncio.gather(*(self._send_to(c, data) for c in list(self._clients)))
        return sum(taken)

    async def finish(self, linger_s: float) -> None:
        """Close in order: no more is sent, and clients get time to close after the last byte."""
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
        deadline = asyncio.get_running_loop().time() + linger_s
        while self._clients and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_ACCEPT_PAUSE_S)
        await self.close()

    async def close(self) -> None:
        """Close everything at once."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(server)
            except OSError:  # out of file descriptors, or the client is gone already
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if len(self._tasks) > CLIENTS_MAX:
                client.close()
                continue
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve(client))

    async def _serve(self, client: socket.socket) -> None:
        try:
            if await self._greeting(client):
                self._clients[client] = asyncio.Lock()
                self.first_client.set()
                await _until_closed(client)
        except OSError:
            pass  # the client is gone, which is its right
        finally:
            await self._drop(client)

    async def _send_to(self, client: socket.socket, data: bytes) -> bool:
        lock = self._clients.get(client)
        if lock is None:
            return False
        try:
            async with lock:
                await asyncio.get_running_loop().sock_sendall(client, data)
        except OSError:
            return False  # its own task sees the end as well, and drops it
        return True

    async def _drop(self, client: socket.socket) -> None:
        """Forget a client. Its socket is closed only when no send waits for it any more."""
        lock = self._clients.pop(client, None)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        if lock is not None:
            async with lock:
                pass
        client.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _until_closed(client: socket.socket) -> None:
    """Read what a client goes on saying, to nobody, so that its end is seen."""
    while await asyncio.get_running_loop().sock_recv(client, _READ_BYTES):
        pass
