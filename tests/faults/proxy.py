"""A TCP proxy that can be a bad network: it drops, delays, truncates, half-opens, and heals.

It stands before a broker or a database. One fault holds at a time, for connections that are open
and for those that come; ``heal`` ends it.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 65_536
_CALL_S = 10.0


class Fault(Enum):
    """What is wrong with the network now."""

    NONE = auto()
    DROP = auto()
    DELAY = auto()
    TRUNCATE = auto()
    HALF_OPEN = auto()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server is: a port of loopback, or the path of a Unix socket."""

    where: int | Path

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; ``OSError`` when nobody is there."""
        if isinstance(self.where, Path):
            return await asyncio.open_unix_connection(str(self.where))
        return await asyncio.open_connection("127.0.0.1", self.where)


@dataclass(eq=False, slots=True)
class _Link:
    """One connection through the proxy; ``server`` is None while it is half-open."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    answered: int = 0


@dataclass
class Proxy:
    """Listens on ``port`` of loopback. ``touched`` counts what the present fault was felt by."""

    upstream: Upstream
    port: int = 0
    touched: int = 0
    passed: int = 0
    """Bytes that reached the other side."""
    _fault: Fault = Fault.NONE
    _delay_s: float = 0.0
    _answer_bytes: int = 0
    _links: set[_Link] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())

    def drop(self) -> None:
        """Every connection is reset, and so is each new one."""
        self._call(self._begin(Fault.DROP, cut=True))

    def delay(self, seconds: float) -> None:
        """Whatever is sent arrives so much later, in both directions."""
        self._delay_s = seconds
        self._call(self._begin(Fault.DELAY))

    def truncate(self, answer_bytes: int) -> None:
        """Each connection breaks after so many more bytes of answers, wherever that falls."""
        self._answer_bytes = answer_bytes
        self._call(self._begin(Fault.TRUNCATE))

    def half_open(self) -> None:
        """Servers are gone, and no client is told: its bytes vanish, and nothing comes back."""
        self._call(self._begin(Fault.HALF_OPEN))

    def heal(self, *, tell: bool = True) -> None:
        """The network is well: what is half-open is reset, as by a host that knows it no more.

        Unless ``tell``, it stays silent for ever, as behind a firewall that forgot it.
        """
        self._call(self._begin(Fault.NONE, forget=tell))

    def close(self) -> None:
        """End every connection and stop listening."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()

    async def _begin(self, fault: Fault, *, cut: bool = False, forget: bool = False) -> None:
        self._fault, self.touched = fault, 0
        for link in list(self._links):
            link.answered = 0
            if cut or (forget and link.server is None):
                self._reset(link)
            elif fault is Fault.HALF_OPEN:
                self._leave_half(link)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        if self._fault is Fault.DROP:
            self._reset(link)
            return
        if self._fault is Fault.HALF_OPEN:
            self.touched += 1
            self._keep(self._swallow(link, reader))
            return
        try:
            from_server, link.server = await self.upstream.open()
        except OSError:
            self._reset(link)
            return
        self._keep(self._carry(link, reader, link.server))
        self._keep(self._carry(link, from_server, writer, answers=True))

    async def _carry(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if link.server is None:  # half-open since: what comes vanishes
                    self.touched += 1
                    continue
                if self._fault is Fault.DELAY:
                    self.touched += 1
                    await asyncio.sleep(self._delay_s)
                if answers and self._fault is Fault.TRUNCATE:
                    data = data[: max(0, self._answer_bytes - link.answered)]
                    link.answered += len(data)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
                if self._fault is Fault.TRUNCATE and link.answered >= self._answer_bytes:
                    self._reset(link)
                    return
        if link.server is not None:
            self._close(link)

    async def _swallow(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(_CHUNK):
                continue

    def _leave_half(self, link: _Link) -> None:
        self.touched += 1
        if link.server is not None:
            link.server.transport.abort()
            link.server = None

    def _reset(self, link: _Link) -> None:
        """A reset, not an orderly end."""
        self.touched += 1
        held: socket.socket | None = link.client.get_extra_info("socket")
        if held is not None and held.fileno() >= 0:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        link.client.transport.abort()
        if link.server is not None:
            link.server.transport.abort()
        self._links.discard(link)

    def _close(self, link: _Link) -> None:
        link.client.close()
        if link.server is not None:
            link.server.close()
        self._links.discard(link)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        self._server.close()
        for link in list(self._links):
            self._reset(link)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)
