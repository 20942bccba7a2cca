"""Intake and signer die or fail at every named point: nothing acknowledged is lost or doubled.

One exchange serves the whole module. For each fault four trucks send, the fault is made, whatever
died is started again, and once every statement has its receipt the checker reads the log.
"""

import random
import time
from collections.abc import Iterator

import pytest

from tests.faults.checker import Verdict, judge
from tests.faults.fleet import Fleet
from tests.faults.injection import Order
from tests.faults.points import INTAKE, POINTS, SIGNER, Form, Point
from tests.faults.published_log import LogReader
from tests.faults.stage import Stage
from tests.faults.table import TABLE

ROUNDS = 5
"""Of the long form, over every point and form."""


class Scene:
    """The exchange, its trucks and its reader."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.log: LogReader = stage.open()
        origin = stage.directory.origin or ""
        self.fleet = Fleet(stage.broker_login(), origin, self.log.notes)
        stage.admit(*self.fleet.trucks)
        self.signed: set[bytes] = set()
        self.acknowledged = 0

    def send(self) -> None:
        self.signed |= self.fleet.send()

    def fault(self, order: Order) -> tuple[Verdict, float]:
        """Make the fault while trucks send; what became of what they sent, seconds to recover."""
        part = POINTS[order.point].part
        process = self.stage.parts[part]
        process.arm(order)
        self.send()
        assert process.struck(), f"{order} was never passed: {process.said()}"
        began = time.monotonic()
        if order.form.kills:
            assert process.ended(deadline_s=10) == -9
            self.stage.start(part)
        self.until_recovered()
        recovered_s = time.monotonic() - began
        return self.judged(), recovered_s

    def until_recovered(self) -> None:
        """Until every statement has its receipt."""
        try:
            self.fleet.until_receipted()
        except AssertionError as error:
            logs = {name: part.said() for name, part in self.stage.parts.items()}
            raise AssertionError(f"{error}: {logs}") from None

    def judged(self) -> Verdict:
        """What is new since the last time."""
        verdict = judge(self.log, self.fleet.received, self.signed)
        assert (verdict.lost, verdict.twice) == (0, 0)
        assert verdict.acknowledged == len(self.signed)
        before, self.acknowledged = self.acknowledged, verdict.acknowledged
        return verdict.since(before)

    def close(self) -> None:
        self.fleet.close()
        self.log.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    try:
        scene = Scene(stage)
        yield scene
        scene.close()
    finally:
        stage.close()


@pytest.mark.parametrize("point", [*INTAKE, *SIGNER], ids=lambda point: point.name)
def test_a_death_at_a_named_point_costs_nothing(scene: Scene, point: Point, seed: int) -> None:
    form = random.Random(f"{seed} {point.name}").choice([Form.KILLED_BEFORE, Form.KILLED_AFTER])
    made(scene, Order(point.name, form))


@pytest.mark.timeout(300)
def test_what_fails_without_dying_costs_nothing(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    failing = [point for point in (*INTAKE, *SIGNER) if len(point.forms) > 2]
    for point in rng.sample(failing, 8):
        made(scene, Order(point.name, rng.choice(point.forms[2:])))


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_every_point_in_every_form_many_times(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    orders = [
        Order(point.name, form, rng.randint(1, 2) if point.step in _OFTEN else 1)
        for _ in range(ROUNDS)
        for point in (*INTAKE, *SIGNER)
        for form in point.forms
    ]
    rng.shuffle(orders)
    for order in orders:
        made(scene, order)


_OFTEN = {"batch fetched", "receipts sent", "head read", "fence read"}


def made(scene: Scene, order: Order) -> None:
    verdict, recovered_s = scene.fault(order)
    TABLE.add(order.point, order.form, verdict, recovered_s, kills=order.form.kills)
