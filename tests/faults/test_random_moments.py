"""Any process of the chain dies at a moment that a printed seed chose, while everything is busy."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.driven import Agent, Drive, judged
from tests.faults.receiving import Receiving
from tests.faults.table import TABLE

KILLS = 200
KILLED = "killed"
_DRIVEN_S = 40_000
_MOMENT_S = 0.4
"""So long after the trucks have sent at most: their batch has its receipts by then."""


class Chain:
    """Trucks, an agent on a drive, and everything between them and the log."""

    def __init__(self, receiving: Receiving, folder: Path, stack: ExitStack) -> None:
        self.stage, self.receiving = receiving.stage, receiving
        self.drive = Drive(folder, _DRIVEN_S)
        stack.callback(self.drive.close)
        enrolled = self.stage.enrol_agent(folder / "truck", "agent-random")
        self.agent = Agent(enrolled, self.drive.sources)
        stack.callback(self.agent.kill)
        self.agent.start()
        self.agent.until_sealed_anew()
        self.stage.start("intake-2")
        stack.callback(lambda: self.stage.parts.pop("intake-2").stop())
        roles = {name: self._killing(name) for name in self.stage.parts}
        self.victims: dict[str, Callable[[], None]] = {
            **roles,
            "agent": self._kill_agent,
            "broker": self._kill_broker,
            "database": self._kill_database,
        }
        self._acknowledged = 0

    def kill(self, victim: str, after_s: float) -> None:
        """Kill while trucks send, start again, wait for every receipt, and check everything."""
        self.receiving.send()
        time.sleep(after_s)  # the moment itself, not a wait for anything
        self.victims[victim]()
        began = time.monotonic()
        self.receiving.until_recovered()
        self.agent.until_sealed_anew()
        recovered_s = time.monotonic() - began
        received = self.receiving.judged()
        driven = judged(self.agent, self.drive, self.receiving.log)
        assert (driven.lost, driven.twice) == (0, 0)
        new = driven.since(self._acknowledged)
        self._acknowledged = driven.acknowledged
        TABLE.add(f"{victim}: any moment", KILLED, received + new, recovered_s, kills=True)

    def _killing(self, role: str) -> Callable[[], None]:
        def kill() -> None:
            self.stage.parts[role].kill()
            self.stage.start(role)

        return kill

    def _kill_agent(self) -> None:
        self.agent.kill()
        self.agent.start()

    def _kill_broker(self) -> None:
        _kill_server(self.stage.nats.process)
        self.stage.nats.start()

    def _kill_database(self) -> None:
        _kill_server(self.stage.postgres.process)
        self.stage.postgres.start()


def _kill_server(process: "subprocess.Popen[bytes] | None") -> None:
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def chain(receiving: Receiving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with ExitStack() as stack:
        yield Chain(receiving, tmp_path_factory.mktemp("chain"), stack)


@pytest.mark.timeout(300)
def test_each_process_dies_once_at_a_random_moment(chain: Chain, seed: int) -> None:
    rng = random.Random(seed)
    for victim in chain.victims:
        chain.kill(victim, rng.uniform(0, _MOMENT_S))


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_processes_die_at_many_random_moments(chain: Chain, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(KILLS):
        chain.kill(rng.choice(list(chain.victims)), rng.uniform(0, _MOMENT_S))
