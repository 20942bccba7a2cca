"""Clients for tests: python-can's own on the bus, a plain socket on the receiver's line."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import can

from firmware_sim.drives import Frame

DEADLINE_S = 20.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.005)


@contextmanager
def can_client(port: int) -> Iterator[can.BusABC]:
    bus = can.Bus(interface="socketcand", channel="can0", host="127.0.0.1", port=port)
    try:
        yield bus
    finally:
        bus.shutdown()


def as_frame(message: can.Message) -> Frame:
    """What was received; the stamp to the microsecond, which is what the protocol carries."""
    return Frame(
        round(message.timestamp * 1e6) * 1_000,
        "can0",
        message.arbitration_id,
        message.is_extended_id,
        bytes(message.data),
    )


class Heard:
    """Everything that one receiver client hears until the other side closes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.data = b""
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while chunk := self.socket.recv(65_536):
                self.data += chunk
        except OSError:
            pass
        self.socket.close()
        self.closed.set()

    def until_closed(self) -> bytes:
        """All that was said."""
        assert self.closed.wait(DEADLINE_S)
        return self.data

    def leave(self) -> None:
        """Close from this side."""
        self.socket.shutdown(socket.SHUT_RDWR)
        assert self.closed.wait(DEADLINE_S)


def receive(bus: can.BusABC, count: int) -> list[Frame]:
    """The next frames; fails when they do not come."""
    frames: list[Frame] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(frames) < count:
        message = bus.recv(0.2)
        if message is not None:
            frames.append(as_frame(message))
        assert time.monotonic() < deadline, f"{len(frames)} of {count} frames came"
    return frames


def nothing_more(bus: can.BusABC) -> bool:
    """Whether no further frame comes."""
    return bus.recv(0.05) is None
