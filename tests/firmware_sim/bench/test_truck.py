"""A whole truck in this process, heard by python-can's socketcand client and a plain socket."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.bench.listener import Listener
from firmware_sim.bench.pace import Clock, MonotonicClock
from firmware_sim.bench.player import NobodyListens, Played
from firmware_sim.drives import open_drive
from firmware_sim.j1939.framing import frames_of
from firmware_sim.nmea.sentences import end_sentence, fix_sentences
from firmware_sim.truck import Bench, Truck, drive_truck
from tests.firmware_sim import recordings
from tests.firmware_sim.bench.listeners import (
    DEADLINE_S,
    Heard,
    can_client,
    nothing_more,
    receive,
    wait_until,
)

FAST = 1e6
NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def quiet_client() -> Iterator[None]:
    """python-can's client logs a warning for every partial read."""
    logging.getLogger("can.interfaces.socketcand").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("can.interfaces.socketcand").setLevel(logging.NOTSET)


class HeldClock:
    """A clock that stands still at a limit until somebody lets more time pass."""

    def __init__(self, until_s: float) -> None:
        self.seconds = 0.0
        self.until_s = until_s

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        wanted = self.seconds + seconds
        while wanted > self.until_s:
            await asyncio.sleep(0.001)
        self.seconds = wanted

    def let_pass(self, seconds: float) -> bool:
        self.until_s += seconds
        return True


class Running:
    """A truck played in a thread of its own."""

    def __init__(self, truck: Truck, clock: Clock | None = None) -> None:
        self.truck = truck
        self._clock = clock or MonotonicClock()
        self.played = Played()
        self.bench: Bench | None = None
        self._announced = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._announced.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.join()

    def join(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    @property
    def can_port(self) -> int:
        assert self.bench is not None
        return int(self.bench.can.split(":")[2].split("/")[0])

    @property
    def nmea_port(self) -> int:
        assert self.bench is not None
        return int(self.bench.nmea.split(":")[2])

    def _announce(self, bench: Bench) -> None:
        self.bench = bench
        self._announced.set()

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        with suppress(asyncio.CancelledError):
            await drive_truck(
                self.truck, self._clock, NOW_MS, self.played, self._announce, lambda _: None
            )


def test_every_frame_of_a_recorded_bus_arrives_in_order_with_its_stamp() -> None:
    drive = recordings.frames_of(recordings.KEY_ON)
    with Running(Truck(drive, FAST)) as running:
        with can_client(running.can_port) as bus:
            heard = Heard(running.nmea_port)
            frames = receive(bus, drive.facts.items)
            assert heard.until_closed() == end_sentence()
            assert nothing_more(bus)
        running.join()

    assert frames == [replace(frame, channel="can0") for frame in drive.frames()]
    assert running.played == Played(frames=drive.facts.items)


def test_measured_drive_arrives_as_frames_and_sentences_with_the_drives_own_time() -> None:
    drive = recordings.records_of(recordings.DRIVE5)
    expected = list(frames_of(drive.records()))
    with Running(Truck(drive, FAST)) as running:
        with can_client(running.can_port) as bus:
            heard = Heard(running.nmea_port)
            frames = receive(bus, len(expected))
            sentences = heard.until_closed()
        running.join()

    assert frames == expected
    assert sentences == b"".join(map(fix_sentences, drive.records())) + end_sentence()
    assert (running.played.frames, running.played.fixes) == (len(expected), 736)


def test_drive_without_absolute_time_ends_now_on_whole_seconds() -> None:
    drive = recordings.records_of(recordings.COVESA)
    with Running(Truck(drive, FAST)) as running:
        bench = running.bench

    assert bench is not None
    assert bench.t_zero_ms % 1_000 == 0
    assert 0 <= NOW_MS - bench.t_end_ms < 1_000


def test_nothing_is_played_before_both_have_a_listener() -> None:
    drive = recordings.frames_of(recordings.ETI)
    with Running(Truck(drive, FAST)) as running, can_client(running.can_port) as bus:
        assert bus.recv(0.2) is None
        assert running.played.frames == 0

        heard = Heard(running.nmea_port)
        assert len(receive(bus, drive.facts.items)) == drive.facts.items
        heard.until_closed()


def test_nobody_listening_in_time_is_an_error_of_its_own() -> None:
    drive = recordings.frames_of(recordings.ETI)
    truck = Truck(drive, FAST, wait_timeout_s=0.05)

    with pytest.raises(NobodyListens, match="start the agent"):
        asyncio.run(
            drive_truck(truck, MonotonicClock(), NOW_MS, Played(), lambda _: None, lambda _: None)
        )


def test_client_that_comes_back_continues_where_the_drive_is_and_the_rest_is_counted() -> None:
    drive = recordings.records_of(recordings.DRIVE5)
    expected = list(frames_of(drive.records()))
    clock = HeldClock(until_s=20)
    with Running(Truck(drive), clock) as running:
        heard = Heard(running.nmea_port)
        with can_client(running.can_port) as bus:
            before = receive(bus, 20)
        wait_until(lambda: clock.let_pass(1) and running.played.unheard_frames > 20, "a loss")
        with can_client(running.can_port) as bus:
            clock.let_pass(1_000)
            after = receive(bus, 1)
            while after[-1] != expected[-1]:
                after.extend(receive(bus, 1))
        heard.until_closed()
        running.join()

    assert before == expected[:20]
    assert after == expected[-len(after) :]
    assert 20 < running.played.unheard_frames <= len(expected) - len(before) - len(after)
    assert running.played.unheard_fixes == 0


def test_slow_reader_slows_the_drive_down_and_loses_nothing() -> None:
    """8,994 frames of 53 bytes do not fit into the small buffer of a client that waits."""
    drive = recordings.frames_of(recordings.TRUCKGPS)
    with Running(Truck(drive, FAST)) as running:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.settimeout(DEADLINE_S)
        slow.connect(("127.0.0.1", running.can_port))
        for command, answer in ((b"< open can0 >", b"< hi >"), (b"< rawmode >", b"< ok >")):
            assert slow.recv(64) == answer
            slow.sendall(command)
        assert slow.recv(64) == b"< ok >"
        heard = Heard(running.nmea_port)
        heard_before = heard.data
        said = b""
        while chunk := slow.recv(3_000):
            said += chunk
        heard.until_closed()
        slow.close()
        running.join()

    assert heard_before == b""
    assert said.count(b"< frame ") == said.count(b" >") == drive.facts.items
    assert running.played.unheard_frames == 0


def test_frames_never_come_in_the_same_read_as_the_handshakes_answer() -> None:
    """However slowly the client reads: python-can's takes one read for the answer."""
    drive = recordings.frames_of(recordings.ETI)
    with Running(Truck(drive, FAST)) as running:
        client = socket.create_connection(("127.0.0.1", running.can_port), timeout=DEADLINE_S)
        assert client.recv(256) == b"< hi >"
        client.sendall(b"< open can0 >")
        assert client.recv(256) == b"< ok >"
        client.sendall(b"< rawmode >")
        heard = Heard(running.nmea_port)
        wait_until(lambda: running.played.frames == drive.facts.items, "all frames sent")

        assert client.recv(256) == b"< ok >"
        assert client.recv(256).startswith(b"< frame 0CF00400 1619180563.128100 F19F7D00")
        client.close()
        heard.until_closed()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"< open can7 >", b"< error could not open bus >"),
        (b"< rawmode >", b"< error unknown command >"),
        (b"< echo >", b"< echo >"),
        (b"<open can0>", b"< ok >"),
    ],
    ids=["another bus", "raw mode without a bus", "echo", "no spaces"],
)
def test_handshake_answers_as_socketcand_does(said: bytes, answer: bytes) -> None:
    drive = open_drive(recordings.ETI)
    with (
        Running(Truck(drive, FAST)) as running,
        socket.create_connection(("127.0.0.1", running.can_port), timeout=DEADLINE_S) as client,
    ):
        assert client.recv(64) == b"< hi >"
        client.sendall(said)
        assert client.recv(64) == answer


def test_client_that_talks_nonsense_is_let_go() -> None:
    drive = open_drive(recordings.ETI)
    with (
        Running(Truck(drive, FAST)) as running,
        socket.create_connection(("127.0.0.1", running.can_port), timeout=DEADLINE_S) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\n" * 200)
        while client.recv(4_096):
            pass


def test_filled_in_signals_are_said_to_be() -> None:
    truck = Truck(open_drive(recordings.COVESA), fill_in=True)
    bench = Bench("socketcand://x", "tcp://x", 0, 0)

    told = bench.as_json(truck)
    assert told["fill_in"] == ["Vehicle.Powertrain.CombustionEngine.Speed"]
    assert told["framing"] == "real drive, synthetic framing"
    assert bench.as_json(replace(truck, fill_in=False))["fill_in"] == []


def test_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    async def bind_twice() -> None:
        listener, other = Listener(_never), Listener(_never)
        port = listener.bind(0)
        try:
            with pytest.raises(OSError, match="in use"):
                other.bind(port)
        finally:
            await listener.close()
            await other.close()

    asyncio.run(bind_twice())


async def _never(_client: socket.socket) -> bool:
    return False
