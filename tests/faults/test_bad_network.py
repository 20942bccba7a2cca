"""The network before database and broker drops, delays, truncates and half-opens, then heals."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import product
from pathlib import Path

import pytest
from psycopg import conninfo

from tests.faults.driven import Agent, Drive, judged
from tests.faults.parts import wait_until
from tests.faults.proxy import Proxy, Upstream
from tests.faults.published_log import LogReader
from tests.faults.receiving import Receiving
from tests.faults.stage import Stage
from tests.faults.table import TABLE

ROUNDS = 15
_ANSWER_BYTES_MAX = 2_000
_FELT = 3
_DRIVEN_S = 20_000

FAULTS: dict[str, Callable[[Proxy, random.Random], None]] = {
    "dropped": lambda proxy, rng: proxy.drop(),
    "delayed": lambda proxy, rng: proxy.delay(rng.uniform(0.01, 0.1)),
    "truncated": lambda proxy, rng: proxy.truncate(rng.randrange(_ANSWER_BYTES_MAX)),
    "half-open": lambda proxy, rng: proxy.half_open(),
}


class BadNetwork:
    """Intake and signer reach their servers through proxies."""

    def __init__(self, receiving: Receiving, stack: ExitStack) -> None:
        self.receiving = receiving
        stage = receiving.stage
        socket = _database_socket(stage)
        self.links = {
            "database": stack.enter_context(closing(Proxy(Upstream(socket)))),
            "broker": stack.enter_context(closing(Proxy(Upstream(stage.ports.nats)))),
        }
        _, user, password = stage.broker_login()
        url = conninfo.make_conninfo(
            stage.settings.database_url, host="127.0.0.1", port=self.links["database"].port
        )
        self._through = {
            "database_url": url,
            "nats_url": f"nats://127.0.0.1:{self.links['broker'].port}",
            "nats_user": user,
            "nats_password": password,
        }
        self._restart(**self._through)
        stack.callback(self._restart)

    def fault(self, link: str, form: str, rng: random.Random, *, tell: bool = True) -> None:
        """Let trucks send into the fault, heal once it was felt, and check everything."""
        proxy = self.links[link]
        self.receiving.send()
        FAULTS[form](proxy, rng)
        self.receiving.send()
        wait_until(lambda: proxy.touched >= _FELT, f"{link} {form} is felt")
        proxy.heal(tell=tell)
        began = time.monotonic()
        self.receiving.until_recovered()
        recovered_s = time.monotonic() - began
        form = form if tell else f"{form}, never reset"
        TABLE.add(f"link to {link}", form, self.receiving.judged(), recovered_s, kills=False)

    def _restart(self, **settings: object) -> None:
        stage = self.receiving.stage
        stage.configure(**settings)
        for role in ("intake", "signer"):
            stage.parts[role].stop()
            stage.start(role)
        self.receiving.send()
        self.receiving.until_recovered()


@pytest.fixture(scope="module")
def network(receiving: Receiving) -> Iterator[BadNetwork]:
    with ExitStack() as stack:
        yield BadNetwork(receiving, stack)


SLOW_TO_NOTICE = ("broker", "half-open")
"""A broker that falls silent is noticed by pings, which are seconds apart."""


@pytest.mark.parametrize(
    ("link", "form"),
    [
        pytest.param(*pair, marks=[pytest.mark.long] if pair == SLOW_TO_NOTICE else [])
        for pair in product(("database", "broker"), FAULTS)
    ],
)
def test_a_bad_link_of_the_exchange_costs_nothing(
    network: BadNetwork, link: str, form: str, seed: int
) -> None:
    network.fault(link, form, random.Random(f"{seed} {link} {form}"))


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_bad_links_many_times(network: BadNetwork, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        for link in network.links:
            for form in FAULTS:
                network.fault(link, form, rng)


@pytest.mark.long
def test_a_broker_that_fell_silent_is_noticed_without_a_word(network: BadNetwork) -> None:
    network.fault("broker", "half-open", random.Random(), tell=False)


@pytest.fixture(scope="module")
def agents_link(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Proxy, Agent, Drive, LogReader]]:
    folder = tmp_path_factory.mktemp("link")
    with (
        closing(Proxy(Upstream(stage.ports.mqtt))) as proxy,
        closing(stage.reader()) as log,
        closing(Drive(folder, _DRIVEN_S)) as drive,
    ):
        enrolled = stage.enrol_agent(folder / "truck", "agent-link", proxy.port)
        agent = Agent(enrolled, drive.sources)
        agent.start()
        agent.until_sealed_anew()
        yield proxy, agent, drive, log
        agent.kill()


@pytest.mark.parametrize(
    "form",
    [
        "dropped",
        "half-open",
        pytest.param("delayed", marks=pytest.mark.long),
        pytest.param("truncated", marks=pytest.mark.long),
    ],
)
def test_a_bad_link_of_the_agent_costs_nothing(
    agents_link: tuple[Proxy, Agent, Drive, LogReader], form: str, seed: int
) -> None:
    proxy, agent, drive, log = agents_link
    before = judged(agent, drive, log).acknowledged
    FAULTS[form](proxy, random.Random(f"{seed} {form}"))
    wait_until(lambda: proxy.touched > 0, f"{form} is felt")
    proxy.heal()
    began = time.monotonic()
    agent.until_sealed_anew()
    recovered_s = time.monotonic() - began

    verdict = judged(agent, drive, log)
    assert (verdict.lost, verdict.twice) == (0, 0)
    TABLE.add("link of the agent", form, verdict.since(before), recovered_s, kills=False)


def _database_socket(stage: Stage) -> Path:
    host = conninfo.conninfo_to_dict(stage.settings.database_url)["host"]
    return Path(str(host)) / ".s.PGSQL.5432"
