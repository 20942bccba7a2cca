"""Inside a part under test: its named points are wrapped, and one of them strikes when armed.

The product knows nothing of this. A function is replaced wherever a module of the product has it
by name, so it does not matter how it was imported.
"""

import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from multiprocessing.connection import Connection
from typing import Any

from edge_agent.clock import SystemClock
from exchange.intake import pipeline
from tests.faults.points import POINTS, Form, Point

ROOMS = ("schemas", "ledger", "edge_agent", "exchange")


@dataclass(frozen=True, slots=True)
class Order:
    """Strike at the n-th time that the point is passed from now on."""

    point: str
    form: Form
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Skew:
    """From now on the part's wall clock is so much ahead of the system's."""

    seconds: int


class Injection:
    """Waits for orders on a connection, and tells there that it strikes, just before it does."""

    def __init__(self, orders: "Connection[Any, Any]") -> None:
        self._orders = orders
        self._lock = threading.Lock()
        self._armed: Order | None = None
        self._left = 0
        self._skew_s = 0

    def install(self, part: str, first: Order | None) -> None:
        """Wrap every point of the part; ``first`` is armed before anything runs."""
        for point in POINTS.values():
            if point.part == part:
                wrap(point, self._strike)
        skew_clocks(lambda: self._skew_s)
        self._arm(first)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                order = self._orders.recv()
                if isinstance(order, Skew):
                    self._skew_s = order.seconds
                else:
                    self._arm(order)
        except (EOFError, OSError):  # the test has ended, and so do we
            os._exit(1)

    def _arm(self, order: Order | None) -> None:
        with self._lock:
            self._armed, self._left = order, 0 if order is None else order.nth

    def _strike(self, point: Point, before: bool) -> None:
        with self._lock:
            armed = self._armed
            if armed is None or armed.point != point.name or armed.form.comes_before != before:
                return
            self._left -= 1
            if self._left:
                return
            self._armed = None
        self._orders.send(armed)
        if armed.form.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        error = point.failed if before else point.answer_lost
        assert error is not None
        raise error()


def skew_clocks(skew_s: Callable[[], int]) -> None:
    """The wall clocks of agent and intake, read through ``skew_s``."""
    told = SystemClock.utc_ms

    def utc_ms(self: SystemClock) -> float:
        return told(self) + skew_s() * 1_000

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=skew_s())

    SystemClock.utc_ms = utc_ms  # type: ignore[method-assign]
    assert vars(pipeline)["datetime"] is datetime, "intake reads its clock elsewhere now"
    vars(pipeline)["datetime"] = Skewed


Strike = Callable[[Point, bool], None]


def wrap(point: Point, strike: Strike) -> None:
    """Put ``strike`` before and after the point's function, wherever the product has it by name."""
    owner, attribute, function = point.owner()
    if isinstance(owner, type):
        setattr(owner, attribute, _wrapped(function, point, strike))
        return
    wrapped = _wrapped(function, point, strike)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOMS:
            for held, value in list(vars(module).items()):
                if value is function:
                    setattr(module, held, wrapped)


def _wrapped(function: Any, point: Point, strike: Strike) -> Any:
    if isinstance(function, classmethod):
        return classmethod(_wrapped(function.__func__, point, strike))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            strike(point, True)
            result = await function(*args, **kwargs)
            strike(point, False)
            return result

        return waiting

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        strike(point, True)
        result = function(*args, **kwargs)
        strike(point, False)
        return result

    return plain
