"""Clocks that jump by a year, forward and back: everything is committed, with its order intact."""

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.checker import judge
from tests.faults.driven import Agent, Drive
from tests.faults.injection import Skew
from tests.faults.outbox_found import Found, check_chain, times
from tests.faults.receiving import Receiving
from tests.faults.stage import Stage

YEAR_S = 365 * 86_400
_YEAR_MS = YEAR_S * 1_000
_DRIVEN_S = 20_000


@pytest.fixture
def live_agent(stage: Stage, tmp_path: Path) -> Iterator[Agent]:
    """Hears a bus only, and so has no time but its own system's."""
    with closing(Drive(tmp_path, _DRIVEN_S)) as drive:
        enrolled = stage.enrol_agent(tmp_path / "truck", "agent-clock")
        agent = Agent(enrolled, drive.sources, clock="system", segment_samples=1)
        agent.start()
        agent.until_sealed_anew()
        yield agent
        agent.kill()


def test_an_agent_s_clock_that_jumps_back_and_forward_breaks_no_chain_and_loses_nothing(
    live_agent: Agent, stage: Stage
) -> None:
    agent = live_agent
    assert agent.process is not None
    agent.process.skew(Skew(-YEAR_S))
    agent.until(lambda found: jumps(found) == [-1], "a year back")
    agent.process.skew(Skew(YEAR_S))
    agent.until(lambda found: jumps(found) == [-1, 2], "a year ahead")
    agent.kill()
    agent.start()
    agent.until(lambda found: jumps(found) == [-1, 2, -1], "the right time after a restart")
    agent.until_sealed_anew()

    found = agent.found()
    check_chain(found)
    with closing(stage.reader()) as log:
        receipts = {one.digest: one.leaf for one in found if one.leaf is not None}
        verdict = judge(log, receipts, [one.digest for one in found])
    assert (verdict.lost, verdict.twice) == (0, 0)
    assert verdict.acknowledged == len([one for one in found if one.state == "receipted"])


def jumps(found: list[Found]) -> list[int]:
    """By how many years each segment's beginning is away from where the last one's was."""
    begun = [one.t0_ms for one in times(found)]
    years = [round((later - earlier) / _YEAR_MS) for earlier, later in pairwise(begun)]
    return [one for one in years if one]


def test_the_exchange_s_clock_may_jump(receiving: Receiving) -> None:
    for years in (-1, 1, 0):
        receiving.stage.parts["intake"].skew(Skew(years * YEAR_S))
        receiving.send()
        receiving.until_recovered()
        receiving.judged()
