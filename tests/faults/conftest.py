"""One exchange for the whole session; seed and fault table, told at its end."""

import os
import random
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults.receiving import Receiving
from tests.faults.stage import Stage
from tests.faults.table import TABLE

SEED = int(os.environ.get("HAULPROOF_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def seed() -> int:
    """HAULPROOF_SEED, or a new one; printed, so that a run can be repeated."""
    print(f"HAULPROOF_SEED={SEED}")
    return SEED


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One exchange for every test that leaves it well."""
    with closing(Stage(tmp_path_factory.mktemp("stage"))) as made:
        made.open()
        yield made


@pytest.fixture(scope="session")
def receiving(stage: Stage) -> Iterator[Receiving]:
    """Its trucks, and the reader of its log."""
    with closing(Receiving(stage)) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table when there is one."""
    if TABLE.rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(f"HAULPROOF_SEED={SEED}")
        for line in TABLE.lines():
            terminalreporter.write_line(line)
