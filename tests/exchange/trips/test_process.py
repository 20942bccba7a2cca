"""The deriving process's loop, in a thread, on a real database."""

import threading
import time
from collections.abc import Callable

import psycopg

from exchange.trips import repository
from exchange.trips.process import follow
from tests.exchange.derive.recordings import recorded, segments_of
from tests.exchange.trips.log import Log

_DEADLINE_S = 20


def wait_for(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not state():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_data_that_comes_in_is_derived_until_told_to_stop(postgres: str) -> None:
    drive = recorded("comma2k19")
    stop = threading.Event()
    with (
        psycopg.connect(postgres, autocommit=True) as conn,
        psycopg.connect(postgres, autocommit=True) as deriving,
    ):
        log = Log(conn)
        device = log.device("dev-1")
        log.bind(device)
        thread = threading.Thread(target=follow, args=(deriving, log.notary, stop))
        thread.start()
        try:
            for segment in log.seal(device, segments_of(drive.rows, [20, 40], drive.events)):
                log.commit([segment])
            wait_for(lambda: len(log.trips()) == 1)
        finally:
            stop.set()
            thread.join(_DEADLINE_S)

        assert not thread.is_alive()


def test_only_one_process_derives_at_a_time(postgres: str) -> None:
    stop = threading.Event()
    with (
        psycopg.connect(postgres, autocommit=True) as first,
        psycopg.connect(postgres, autocommit=True) as second,
    ):
        log = Log(first)
        assert repository.try_derive_lock(first)
        thread = threading.Thread(target=follow, args=(second, log.notary, stop))
        thread.start()
        stop.set()
        thread.join(_DEADLINE_S)

        assert not thread.is_alive()
        assert not repository.try_derive_lock(second)
