"""The agent dies or fails at every named point while the truck drives on.

One exchange and one long drive serve the module. After each fault the outbox is read as a stranger
would: every second of the drive is in a statement, every gap has its record, the chain is whole,
and what has a receipt is in the log, once.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.driven import Agent, Drive, judged, recovery_of
from tests.faults.injection import Order
from tests.faults.outbox_found import gaps
from tests.faults.points import AGENT, POINTS, Form, Point
from tests.faults.published_log import LogReader
from tests.faults.stage import Stage
from tests.faults.table import TABLE

ROUNDS = 5
DRIVEN_S = 40_000


class Scene:
    """The bench and the agent."""

    def __init__(self, stage: Stage, folder: Path, stack: ExitStack) -> None:
        self.log: LogReader = stage.reader()
        stack.callback(self.log.close)
        self.drive = Drive(folder, DRIVEN_S)
        stack.callback(self.drive.close)
        enrolled = stage.enrol_agent(folder / "truck", "agent-named")
        self.agent = Agent(enrolled, self.drive.sources)
        stack.callback(self.agent.kill)
        self.agent.start()
        self.agent.until_sealed_anew()
        self.acknowledged = 0

    def made(self, order: Order) -> None:
        self.agent.strike(order, POINTS[order.point].at_start)
        self.recovered(order.point, order.form, kills=order.form.kills)

    def recovered(self, point: str, form: str, *, kills: bool) -> None:
        recovered_s = recovery_of(self.agent)
        self.agent.until_gap_is_stated()
        verdict = judged(self.agent, self.drive, self.log)
        assert (verdict.lost, verdict.twice) == (0, 0)
        TABLE.add(point, form, verdict.since(self.acknowledged), recovered_s, kills=kills)
        self.acknowledged = verdict.acknowledged


@pytest.fixture(scope="module")
def scene(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stage, tmp_path_factory.mktemp("agent"), stack)


@pytest.mark.parametrize("point", AGENT, ids=lambda point: point.name)
def test_a_death_at_a_named_point_costs_nothing(scene: Scene, point: Point, seed: int) -> None:
    form = random.Random(f"{seed} {point.name}").choice([Form.KILLED_BEFORE, Form.KILLED_AFTER])
    scene.made(Order(point.name, form))


def test_a_death_leaves_a_gap_with_its_record(scene: Scene) -> None:
    before = gaps(scene.agent.found())
    scene.agent.kill()
    scene.agent.start()
    scene.recovered("agent: any moment", "killed", kills=True)

    assert gaps(scene.agent.found()) == before + 1


@pytest.mark.timeout(300)
def test_what_fails_without_a_kill_costs_nothing(scene: Scene, seed: int) -> None:
    rng = random.Random(seed)
    failing = [point for point in AGENT if len(point.forms) > 2]
    for point in rng.sample(failing, 4):
        scene.made(Order(point.name, rng.choice(point.forms[2:])))


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_point_in_every_form_many_times(scene: Scene, seed: int) -> None:
    orders = [
        Order(point.name, form) for _ in range(ROUNDS) for point in AGENT for form in point.forms
    ]
    random.Random(seed).shuffle(orders)
    for order in orders:
        scene.made(order)
